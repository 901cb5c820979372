/* docstore 0.9.0 to 0.10.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.10.0'" to load this file. \quit
