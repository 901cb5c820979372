/*
 * author.c - who writes, and why: docstore.actor, docstore.context
 *
 * Whoever writes may set both, as one role most often serves all users of an
 * application.  Without an actor it is the role that the session acts as, that
 * of SET ROLE: within a SECURITY DEFINER function, and where the server
 * writes to keep a foreign key, that still is who has called it.
 *
 * What somebody sets is looked at when it is recorded, as a setting is checked
 * without a transaction.  The value of a context is kept for as long as the
 * setting has that text.
 */
#include "postgres.h"

#include "base/errors.h"
#include "fmgr.h"
#include "history/author.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

static char *actor = NULL;
static char *context = NULL;

/* The text of docstore.context that was read last, and what it says. */
static char *read_text = NULL;
static Jsonb *read_value = NULL;

/* Define docstore.actor and docstore.context. */
void
ds_author_init(void)
{
	DefineCustomStringVariable("docstore.actor",
							   "Who writes the documents of tracked collections.",
							   "It is recorded in their history. If it is empty, that has the name of the current role.",
							   &actor, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("docstore.context",
							   "Why the documents of tracked collections are written, as JSON.",
							   "It is recorded in their history, unless it is empty.",
							   &context, "", PGC_USERSET, 0, NULL, NULL, NULL);
}

/* Who writes; NULL when the role has just been dropped. */
Datum
ds_author_actor(bool *is_null)
{
	const char *name = actor[0] != '\0' ? actor : GetUserNameFromId(GetOuterUserId(), true);

	*is_null = name == NULL;
	return *is_null ? (Datum) 0 : CStringGetTextDatum(name);
}

/* While the server reads the setting. */
static void
context_error(pg_attribute_unused() void *arg)
{
	if (!ds_error_is_bad_value())
		return;
	errcode(DS_ERRCODE_ARGUMENT);
	errmsg("setting \"docstore.context\" is not JSON");
	errdetail("It is recorded with each write of a tracked collection.");
	errhint("Set it to a JSON text such as {\"reason\": \"import\"}, or to an empty string.");
}

static void
read_context(void)
{
	ErrorContextCallback callback = {error_context_stack, context_error, NULL};
	Jsonb	   *value;

	error_context_stack = &callback;
	value = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(context)));
	error_context_stack = callback.previous;

	if (read_text != NULL)
		pfree(read_text);
	read_text = NULL;
	if (read_value != NULL)
		pfree(read_value);
	read_value = NULL;
	read_value = memcpy(MemoryContextAlloc(TopMemoryContext, VARSIZE(value)), value, VARSIZE(value));
	read_text = MemoryContextStrdup(TopMemoryContext, context);
}

/* Why; NULL when nobody says.  22023 for what is no JSON. */
Datum
ds_author_context(bool *is_null)
{
	*is_null = context[0] == '\0';
	if (*is_null)
		return (Datum) 0;
	if (read_text == NULL || strcmp(read_text, context) != 0)
		read_context();
	return JsonbPGetDatum(read_value);
}
