DROP INDEX "balance_entry_of_transfer"
;
CREATE INDEX "balance_entry_of_transfer" ON "balance_entry" ("transfer_id") WHERE ("transfer_id" IS NOT NULL)
