/*
 * row_error.c - why a row that may be written by its version cannot be
 *
 * A row is a document's, or the head of a stream.  None of these is a conflict:
 * its expectation holds, or is not what stands in the way.
 */
#include "postgres.h"

#include "base/errors.h"
#include "table/kind.h"
#include "table/name.h"
#include "table/row_error.h"
#include "utils/rls.h"

/* Whether row security applies to the caller, as it is now. */
bool
ds_row_security_applies(const DsCollection *collection)
{
	return check_enable_rls(collection->relid, InvalidOid, true) == RLS_ENABLED;
}

/* Raise 22003: the document is at the highest version there is. */
void
ds_row_refuse_growth(const DsCollection *collection, Datum id)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_VERSION_OVERFLOW),
			 errmsg("document \"%s\" of collection \"%s\" is at the highest possible version",
					ds_id_to_cstring(collection->id_type, id),
					ds_name_of(collection->relid)),
			 OidIsValid(collection->document.history)
			 ? errhint("Call docstore.untrack(), set its version to a lower number with UPDATE, and track the collection again.")
			 : errhint("Set its version to a lower number with UPDATE.")));
}

static const char *
describe_row(const DsCollection *collection, Datum id)
{
	const DsKindRoutine *kind = ds_kind_of(collection);

	return psprintf("%s \"%s\" of %s \"%s\"", kind->row, ds_id_to_cstring(collection->id_type, id),
					kind->table, ds_name_of(collection->relid));
}

/* Raise 27000: a trigger of the table undid a write, or changed the version. */
void
ds_row_refuse_trigger(const DsCollection *collection, Datum id)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_TRIGGER),
			 errmsg("a trigger interfered with the write of %s", describe_row(collection, id)),
			 collection->kind == DS_STREAMS
			 ? errhint("BEFORE triggers of streams must return the row, with stream and version unchanged.")
			 : errhint("BEFORE triggers of a collection must return the row, with id and version unchanged.")));
}

/*
 * Raise 27000: what the call has locked and compared, or was about to make, is
 * not as it was, and nobody but the call itself can have changed that.  But
 * where a shard has moved to another node its rows were not locked there: 40001.
 */
void
ds_row_refuse_interference(const DsCollection *collection, Datum id)
{
	if (collection->distributed)
		ds_error_raise_old_snapshot();
	ereport(ERROR,
			(errcode(DS_ERRCODE_TRIGGER),
			 errmsg("a trigger or function run by the call interfered with its write of %s",
					describe_row(collection, id)),
			 errhint("Triggers, defaults, checks and indexes of the tables that a call writes must not change what the same call writes.")));
}

/*
 * Raise what keeps a document from being written although its version does
 * not: row security (42501), a trigger (27000), or else others who create and
 * delete it all the time (40001).
 */
void
ds_row_refuse_unwritable(const DsCollection *collection, Datum id)
{
	if (ds_row_security_applies(collection))
		ereport(ERROR,
				(errcode(DS_ERRCODE_HIDDEN),
				 errmsg("row security forbids the write of %s", describe_row(collection, id)),
				 errhint("Ask the owner of the table for a policy that allows it, or use another id.")));
	if (collection->has_before_triggers)
		ds_row_refuse_trigger(collection, id);
	ds_error_raise_old_snapshot();
}

/* Raise why a document that is locked, and as it was compared, cannot be written: 42501 or 27000. */
void
ds_row_refuse_unwritten(const DsCollection *collection, Datum id)
{
	if (collection->has_before_triggers || ds_row_security_applies(collection))
		ds_row_refuse_unwritable(collection, id);
	ds_row_refuse_interference(collection, id);
}
