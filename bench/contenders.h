/*
 * contenders.h - the statements that measure.c compares
 *
 * Only measure.c includes it, so all of this is static.
 */
#ifndef BENCH_CONTENDERS_H
#define BENCH_CONTENDERS_H

#include "client.h"

#define FIRST_VERSION 7			/* of the documents that are there, so that 6 is stale */
#define STATEMENT "measured"
#define REPORT "report"
#define WARM_UP 2				/* turns at the start of a round that are not counted */
#define MAX_TABLES 12
#define MAX_SERVERS 2
#define MAX_ENTRIES 32
#define MAX_ROWS 100000
#define POOL 400				/* different documents */

typedef struct Size
{
	const char *name;
	int			bytes;
	int			rows;			/* in each table */
	int			sample;			/* documents in a sample, at least */
	int			round;			/* documents in a round, about */
} Size;

static const Size sizes[] = {
	{"1k", 1024, 100000, 500, 5000},
	{"100b", 100, 100000, 500, 5000},
	{"10k", 10240, 20000, 200, 2000},
};

static const int batches[] = {1, 10, 100, 1000};

/* In cells of many sizes and of memory; a sample has so many documents at least, and so many are warm-up. */
static const int many_sizes[] = {100, 1000, 10000, 100000};

#define MANY_SIZES_SAMPLE 10000
#define MANY_SIZES_WARM_UP 1000

enum
{
	UPDATE = 1,
	INSERT = 2,
	CONFLICT = 4,				/* every document is stale */
	ONE_STALE = 8				/* one of a batch is */
};

static const struct
{
	const char *name;
	int			op;
}			ops[] = {{"update", UPDATE}, {"insert", INSERT}, {"conflict", CONFLICT}, {"1stale", ONE_STALE}};

/* The parameters of a call. */
typedef enum Input
{
	ONE,						/* $1 id, $2 data, $3 expected version */
	ITEMS,						/* $1 a jsonb array of docstore's items */
	ARRAY,						/* $1 a jsonb array of {id, data, expected} */
	ARRAYS						/* $1 ids, $2 data, $3 expected versions */
} Input;

static const char *const input_names[] = {"one", "items", "array", "arrays"};

typedef enum Kind
{
	DOCSTORE,					/* gets the collection as last parameter, but for items */
	SQL,
	PARSE						/* only reads the same input */
} Kind;

static const char *const kind_names[] = {"docstore", "sql", "parse"};

typedef struct Contender
{
	const char *name;
	Kind		kind;
	Input		input;
	int			ops;
	const char *sql;			/* %s is the table */
	int			traits;
	const char *report;			/* asks for the versions of what was stale: $1 their ids */
} Contender;

/* Traits */
#define SUCCEEDS 1				/* in a cell of conflicts: what a success costs */
#define ANSWERS 2				/* a conflict is rows about what was stale, no error */
#define MANY_SIZES 4			/* takes part in the cells of many sizes and of memory */

#define ALL (UPDATE | INSERT | CONFLICT | ONE_STALE)
#define REFUSED (CONFLICT | ONE_STALE)

#define ITEMS_OF_ARRAY "jsonb_to_recordset($1) AS i(id text, data jsonb, expected bigint)"
#define ITEMS_OF_ARRAYS "unnest($1::text[], $2::jsonb[], $3::bigint[]) AS i(id, data, expected)"
#define ELEMENTS(array) \
	"(SELECT e ->> 'id' AS id, e -> 'data' AS data, (e ->> 'expected')::bigint AS expected" \
	" FROM jsonb_array_elements(" array ") AS e) AS i"
#define ITEMS_OF_ELEMENTS ELEMENTS("$1")
#define ITEMS_OF_PARSED_ELEMENTS ELEMENTS("docstore.parse($1)")
#define ITEMS_OF_PARSED_ARRAY "jsonb_to_recordset(docstore.parse($1)) AS i(id text, data jsonb, expected bigint)"
#define UPSERT_FROM(items) \
	"INSERT INTO %s AS t (id, version, data) SELECT i.id, i.expected + 1, i.data FROM " items \
	" ON CONFLICT (id) DO UPDATE SET data = excluded.data, version = excluded.version, updated_at = now()" \
	" WHERE t.version + 1 = excluded.version RETURNING t.id, t.version"
#define UPDATE_FROM(items) \
	"UPDATE %s AS t SET data = i.data, version = t.version + 1, updated_at = now() FROM " items \
	" WHERE t.id = i.id AND t.version = i.expected RETURNING t.id, t.version"
#define INSERT_FROM(items) \
	"INSERT INTO %s AS t (id, version, data) SELECT i.id, i.expected + 1, i.data FROM " items \
	" RETURNING t.id, t.version"

#define UPDATE_ONE \
	"UPDATE %s SET data = $2, version = version + 1, updated_at = now()" \
	" WHERE id = $1 AND version = $3 RETURNING version"
#define SAVE "SELECT id, version FROM docstore.save($1)"
#define SAVE_PARSED "SELECT id, version FROM docstore.save(docstore.parse($1))"
#define TRY_SAVE "SELECT item, expected, actual FROM docstore.try_save($1) WHERE reason IS NOT NULL"
#define VERSION_OF_ONE "SELECT id, version FROM %s WHERE id = $1"
#define VERSIONS_OF_MANY "SELECT id, version FROM %s WHERE id = ANY ($1::text[])"
#define PARSE_JSONB "SELECT jsonb_typeof($1)"

static const Contender singles[] = {
	{"docstore.upsert", DOCSTORE, ONE, ALL, "SELECT docstore.upsert($4, $1, $2, $3)", 0, NULL},
	{"docstore.upsert, docstore.parse", DOCSTORE, ONE, UPDATE | INSERT, "SELECT docstore.upsert($4, $1, docstore.parse($2), $3)", 0, NULL},
	{"docstore.upsert, success", DOCSTORE, ONE, REFUSED, "SELECT docstore.upsert($4, $1, $2, $3)", SUCCEEDS, NULL},
	{"docstore.try_save", DOCSTORE, ITEMS, REFUSED, TRY_SAVE, ANSWERS, NULL},
	{"UPDATE WHERE version", SQL, ONE, UPDATE | REFUSED, UPDATE_ONE, 0, NULL},
	{"UPDATE WHERE version, SELECT", SQL, ONE, REFUSED, UPDATE_ONE, 0, VERSION_OF_ONE},
	{"ON CONFLICT WHERE version", SQL, ONE, ALL,
		"INSERT INTO %s AS t (id, version, data) VALUES ($1, $3::bigint + 1, $2) ON CONFLICT (id) DO UPDATE"
		" SET data = excluded.data, version = t.version + 1, updated_at = now()"
	" WHERE t.version = $3 RETURNING t.version", 0, NULL},
	{"INSERT", SQL, ONE, INSERT, "INSERT INTO %s (id, version, data) VALUES ($1, $3::bigint + 1, $2) RETURNING version", 0, NULL},
	{"parse", PARSE, ONE, UPDATE | INSERT,
	"SELECT jsonb_typeof($2) WHERE $1::text IS NOT NULL AND $3::bigint IS NOT NULL", 0, NULL},
};

static const Contender many[] = {
	{"docstore.save", DOCSTORE, ITEMS, ALL, SAVE, MANY_SIZES, NULL},
	{"docstore.save, docstore.parse", DOCSTORE, ITEMS, UPDATE | INSERT, SAVE_PARSED, MANY_SIZES, NULL},
	{"docstore.try_save", DOCSTORE, ITEMS, REFUSED, TRY_SAVE, ANSWERS, NULL},
	{"docstore.upsert_many", DOCSTORE, ARRAYS, ALL, "SELECT docstore.upsert_many($4, $1, $2, $3)", 0, NULL},
	{"docstore.save, success", DOCSTORE, ITEMS, REFUSED, SAVE, SUCCEEDS, NULL},
	{"array ON CONFLICT", SQL, ARRAY, ALL, UPSERT_FROM(ITEMS_OF_ARRAY), 0, NULL},
	{"unnest ON CONFLICT", SQL, ARRAYS, ALL, UPSERT_FROM(ITEMS_OF_ARRAYS), 0, NULL},
	{"array UPDATE", SQL, ARRAY, UPDATE | REFUSED, UPDATE_FROM(ITEMS_OF_ARRAY), MANY_SIZES, NULL},
	{"array UPDATE, SELECT", SQL, ARRAY, REFUSED, UPDATE_FROM(ITEMS_OF_ARRAY), 0, VERSIONS_OF_MANY},
	{"unnest UPDATE", SQL, ARRAYS, UPDATE | REFUSED, UPDATE_FROM(ITEMS_OF_ARRAYS), 0, NULL},
	{"unnest UPDATE, SELECT", SQL, ARRAYS, REFUSED, UPDATE_FROM(ITEMS_OF_ARRAYS), 0, VERSIONS_OF_MANY},
	{"elements UPDATE", SQL, ARRAY, UPDATE, UPDATE_FROM(ITEMS_OF_ELEMENTS), 0, NULL},
	{"elements UPDATE, docstore.parse", SQL, ARRAY, UPDATE, UPDATE_FROM(ITEMS_OF_PARSED_ELEMENTS), 0, NULL},
	{"array UPDATE, docstore.parse", SQL, ARRAY, UPDATE, UPDATE_FROM(ITEMS_OF_PARSED_ARRAY), 0, NULL},
	{"elements INSERT, docstore.parse", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_PARSED_ELEMENTS), 0, NULL},
	{"array INSERT, docstore.parse", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_PARSED_ARRAY), 0, NULL},
	{"elements INSERT", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_ELEMENTS), 0, NULL},
	{"array INSERT", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_ARRAY), MANY_SIZES, NULL},
	{"unnest INSERT", SQL, ARRAYS, INSERT, INSERT_FROM(ITEMS_OF_ARRAYS), 0, NULL},
	{"parse", PARSE, ITEMS, UPDATE | INSERT, PARSE_JSONB, MANY_SIZES, NULL},
	{"parse", PARSE, ARRAY, UPDATE | INSERT, PARSE_JSONB, MANY_SIZES, NULL},
	{"parse", PARSE, ARRAYS, UPDATE | INSERT,
	"SELECT $1::text[] IS NOT NULL AND $2::jsonb[] IS NOT NULL AND $3::bigint[] IS NOT NULL", 0, NULL},
};

#endif							/* BENCH_CONTENDERS_H */
