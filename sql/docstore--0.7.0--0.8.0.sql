/* docstore 0.7.0 to 0.8.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.8.0'" to load this file. \quit
