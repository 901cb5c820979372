-- Which servers there are, and where the tenants are: run by an administrator in the proxy's database. The role app is the application's.
-- begin README
CREATE SERVER one FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'host=one.example.org dbname=documents');
CREATE SERVER two FOREIGN DATA WRAPPER plproxy OPTIONS (p0 'host=two.example.org dbname=documents');
CREATE USER MAPPING FOR app SERVER one OPTIONS (user 'app', password 'secret');
CREATE USER MAPPING FOR app SERVER two OPTIONS (user 'app', password 'secret');
GRANT USAGE ON FOREIGN SERVER one, two TO app;
INSERT INTO tenants.servers VALUES ('ann', 'one'), ('ben', 'two'), ('Cid & Co', 'two');
-- end README
