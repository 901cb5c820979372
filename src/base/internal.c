/*
 * internal.c - the schema of the functions that only docstore itself calls
 *
 * Those of triggers and views are in docstore_internal, so that \df docstore.*
 * shows what users call.  Before 0.6.0 they were in docstore, and there they
 * are found until the extension is updated.  Meanwhile somebody else can make a
 * schema of that name, who could have others call his functions by docstore's
 * triggers: it counts only as a member of the extension.  Whoever owns that, who
 * need not be a superuser, can make any schema of his own a member; but not
 * functions in C.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/internal.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static bool
is_of_extension(Oid schema)
{
	Oid			extension = getExtensionOfObject(NamespaceRelationId, schema);

	return OidIsValid(extension) && extension == get_extension_oid("docstore", true);
}

/* Whether a schema has the function of the guards' triggers, in C: only a superuser can have put that there. */
static bool
has_guard(Oid schema)
{
	HeapTuple	function = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum("guard_row"),
										   PointerGetDatum(buildoidvector(NULL, 0)), ObjectIdGetDatum(schema));
	bool		result = (HeapTupleIsValid(function) &&
						  ((Form_pg_proc) GETSTRUCT(function))->prolang == ClanguageId);

	if (HeapTupleIsValid(function))
		ReleaseSysCache(function);
	return result;
}

/* The schema, invalid without the extension. */
Oid
ds_internal_schema(void)
{
	Oid			schema = get_namespace_oid("docstore_internal", true);

	return OidIsValid(schema) && has_guard(schema) && is_of_extension(schema) ? schema : get_namespace_oid("docstore", true);
}

/* Its name, for commands that make triggers. */
const char *
ds_internal_schema_name(void)
{
	return get_namespace_name(ds_internal_schema());
}

/* Whether a function is the one of docstore's with that name. */
bool
ds_internal_is(Oid function, const char *name)
{
	char	   *found = get_func_name(function);

	return found != NULL && strcmp(found, name) == 0 && get_func_namespace(function) == ds_internal_schema();
}
