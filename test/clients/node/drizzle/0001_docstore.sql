-- begin setup
-- A migration of your own: drizzle-kit generate --custom --name=docstore
CREATE EXTENSION IF NOT EXISTS docstore;
--> statement-breakpoint
SELECT docstore.guard('shops', strict => true);
--> statement-breakpoint
SELECT docstore.create_collection('cafes');
-- end setup
