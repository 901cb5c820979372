/*
 * far_floor.c - the floor of a distributed table, on the coordinator
 *
 * The floor of a collection is a sequence (floor.c).  Where Citus distributes
 * the collection, that of the coordinator is the floor of all shards.  Whoever
 * deletes or creates on another node, or by a trigger of a shard, asks the
 * coordinator, at the same points at which he would look at a sequence here: a
 * sequence is outside of transactions, so it does not matter that the
 * coordinator is asked by a session of its own.  What it is asked are the
 * functions of api/floors.c, in the name of the caller.
 *
 * While the coordinator does not answer nothing is created or deleted.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/internal.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "table/distributed.h"
#include "table/far_floor.h"
#include "table/name.h"
#include "utils/builtins.h"

#define ASK "run_command_on_coordinator"

/* Raise 0A000: the floor is on the coordinator, which cannot be asked, or has given that answer. */
void
ds_far_floor_refuse(Oid relid, const char *answer)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the floor of the versions of collection \"%s\" cannot be seen from here", ds_name_of(relid)),
			 errdetail("It is on the coordinator, which %s%s.", answer == NULL ? "cannot be asked" : "answers: ",
					   answer == NULL ? "" : answer),
			 errhint("Try again when the coordinator can be reached from this node, or create and delete documents there.")));
}

/* The text that the coordinator answers to a call of a function of docstore_internal, on the table by name. */
static char *
ask(Oid relid, const char *function, const char *argument)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {TEXTOID};
	Oid			taken[] = {TEXTOID, BOOLOID};
	Datum		values[1];
	char	   *answer = NULL;
	bool		is_answered = false;

	if (!OidIsValid(LookupFuncName(list_make2(makeString("pg_catalog"), makeString(ASK)), lengthof(taken), taken, true)))
		ds_far_floor_refuse(relid, NULL);
	values[0] = CStringGetTextDatum(psprintf("SELECT %s.%s(%s::pg_catalog.regclass, %s)", ds_internal_schema_name(),
											 function, quote_literal_cstr(ds_name_of(relid)), argument));
	SPI_connect();
	if (SPI_execute_with_args("SELECT success, result FROM pg_catalog." ASK "($1)",
							  lengthof(types), types, values, NULL, false, 0) == SPI_OK_SELECT && SPI_processed == 1)
	{
		char	   *success = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		char	   *result = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);

		is_answered = success != NULL && success[0] == 't';
		answer = result == NULL ? NULL : MemoryContextStrdup(caller, result);
	}
	SPI_finish();
	if (!is_answered || answer == NULL)
		ds_far_floor_refuse(relid, answer);
	return answer;
}

/* As ds_floor_raise(); to 0, it only sees to it that there is a floor. */
void
ds_far_floor_raise(Oid relid, int64 version)
{
	(void) ask(ds_distributed_known_as(relid), "use_up", psprintf(INT64_FORMAT, version));
}

/* As ds_floor_next_version(). */
int64
ds_far_floor_next_version(Oid relid, int tries)
{
	return pg_strtoint64(ask(ds_distributed_known_as(relid), "next_version", psprintf("%d", tries)));
}

/* As ds_floor_reaches(). */
bool
ds_far_floor_reaches(Oid relid, int64 version)
{
	return ask(ds_distributed_known_as(relid), "is_used_up", psprintf(INT64_FORMAT, version))[0] == 't';
}
