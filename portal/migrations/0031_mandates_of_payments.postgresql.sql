ALTER TABLE "payment" ADD COLUMN "mandate_reference" VARCHAR(35) NOT NULL DEFAULT '' CHECK (length("mandate_reference") <= 35)
;
ALTER TABLE "payment" ADD COLUMN "mandate_on" DATE
