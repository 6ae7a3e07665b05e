CREATE INDEX "audit_entry_deletions" ON "audit_entry" ("id") WHERE "action" = 'workspace.deleted'
;
CREATE INDEX "member_workspace_id_id" ON "member" ("workspace_id",
  "id")
;
CREATE INDEX "purchase_order_workspace_id_id" ON "purchase_order" ("workspace_id",
  "id")
;
CREATE INDEX "purchase_order_person_id_id" ON "purchase_order" ("person_id",
  "id")
