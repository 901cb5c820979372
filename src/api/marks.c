/*
 * marks.c - mark: what the calling statement sees of a log, as a token
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "feed/mark.h"
#include "fmgr.h"
#include "log/log.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ds_mark);

/* A mark is for who reads the log: 42501, where not a single column can be read. */
static void
require_select(Oid relid)
{
	Oid			role = GetUserId();

	if (pg_class_aclcheck(relid, role, ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, role, ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relid));
}

/*
 * docstore.mark(log regclass) RETURNS text
 *
 * The snapshot of the statement that calls it; at READ COMMITTED each statement
 * has its own, at the other levels the transaction.  A scope that carries it
 * as "seen" holds when it shows all events that match.
 * Raises 22023, 42P01, 42809, 42501.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_mark(PG_FUNCTION_ARGS)
{
	DsLog		log;
	DsMark		mark;

	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);
	require_select(log.events.relid);
	ds_mark_take(&log.events, GetActiveSnapshot(), &mark);
	PG_RETURN_TEXT_P(cstring_to_text(ds_mark_to_cstring(&mark)));
}
