-- begin setup
-- A migration of your own: prisma migrate dev --create-only --name docstore
CREATE EXTENSION IF NOT EXISTS docstore;
SELECT docstore.guard('shops', strict => true);
SELECT docstore.create_collection('cafes');
-- end setup
