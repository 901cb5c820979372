/* docstore 0.4.0 to 0.5.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.5.0'" to load this file. \quit

--
-- Functions that the statements of docstore had their rows from: the rows are
-- parameters now, and nobody else can ask for them
--

DROP FUNCTION docstore.item_data(bigint);

DROP FUNCTION docstore.events_to_store();
