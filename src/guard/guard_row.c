/*
 * guard_row.c - the trigger of a guarded table's rows
 *
 * BEFORE INSERT OR UPDATE, FOR EACH ROW.  An update that leaves the version, or
 * raises it by one, is stored with the version raised by one; any other is the
 * conflict.
 *
 * Some ORMs send "version = version + 1", which the server computes anew from
 * the row that it finds after a wait, so that it always fits.  Hence an
 * update is the conflict, too, when the row was written after the snapshot of
 * the statement: its writer cannot have seen it.
 *
 * Not so when the server itself updates a row to keep a foreign key (ON UPDATE
 * CASCADE, ON DELETE SET NULL): it has seen nothing of the row and puts nothing
 * into it but the key, so whatever somebody else has just written stays.
 *
 * A strict guard refuses an UPDATE whose SET list does not name the version:
 * ORMs that write changed columns only leave it out, and then it tells nothing
 * of what the writer has seen.  What triggers make of the version does not
 * count; what the server does for foreign keys is let through, since nobody
 * could write it otherwise.  The UPDATEs of a MERGE have one list together.
 *
 * This runs for every row, beside an UPDATE that takes some microseconds: what
 * there is to know of the table is found out once in a statement, and a row
 * is not copied where that can be helped.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/transam.h"
#include "access/tupmacs.h"
#include "access/xact.h"
#include "base/errors.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "guard/guard.h"
#include "guard/guard_conflict.h"
#include "guard/trigger_state.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "table/collection.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ds_guard_row);

static AttrNumber
version_column(const TriggerData *trigger)
{
	TupleDesc	columns = RelationGetDescr(trigger->tg_relation);
	const char *name;
	AttrNumber	column;

	ds_guard_require_fit(trigger, trigger->tg_trigger->tgnargs > 0);
	name = trigger->tg_trigger->tgargs[0];
	column = SPI_fnumber(columns, name);
	if (column <= 0 || !ds_guard_is_version_type(SPI_gettypeid(columns, column)) ||
		TupleDescAttr(columns, column - 1)->attgenerated != '\0')
		ds_guard_require_version_column(RelationGetRelid(trigger->tg_relation), name, true);
	return column;
}

/* Where a column begins in all rows without NULLs before it; -1 behind columns that have no fixed length. */
static int
fixed_offset(TupleDesc columns, AttrNumber column)
{
	int			offset = 0;

	for (int i = 0; i < column - 1; i++)
	{
		Form_pg_attribute before = TupleDescAttr(columns, i);

		if (before->attlen <= 0)
			return -1;
		offset = att_align_nominal(offset, before->attalign) + before->attlen;
	}
	return att_align_nominal(offset, TupleDescAttr(columns, column - 1)->attalign);
}

/*
 * What is known of the table: remembered in the trigger's FmgrInfo, which the
 * executor makes for each statement and table.  The columns cannot change as
 * long, since the table is locked; if ever they do, they are others.
 */
static DsGuarded *
guarded_table(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	DsGuarded  *guarded = fcinfo->flinfo->fn_extra;
	Relation	table = trigger->tg_relation;

	if (guarded == NULL)
		guarded = fcinfo->flinfo->fn_extra =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(DsGuarded));
	else if (guarded->table == table && guarded->columns == RelationGetDescr(table) &&
			 guarded->trigger == trigger->tg_trigger->tgoid)
		return guarded;

	if (!ActiveSnapshotSet())
		elog(ERROR, "a guarded table is written without a snapshot");
	guarded->column = version_column(trigger);
	guarded->columns = RelationGetDescr(table);
	guarded->size = TupleDescAttr(guarded->columns, guarded->column - 1)->attlen;
	guarded->offset = fixed_offset(guarded->columns, guarded->column);
	guarded->highest = guarded->size == sizeof(int16) ? PG_INT16_MAX :
		guarded->size == sizeof(int32) ? PG_INT32_MAX : PG_INT64_MAX;
	guarded->is_strict = trigger->tg_trigger->tgnargs > 1;
	guarded->trigger = trigger->tg_trigger->tgoid;
	guarded->table = table;
	return guarded;
}

/*
 * A row's version, where it is: heap_getattr() gives a copy, and takes longer
 * where the row has a NULL anywhere.
 */

/* Whether a row has no NULL up to and in the column of versions. */
static inline bool
is_filled(const DsGuarded *guarded, HeapTupleHeader row)
{
	if ((row->t_infomask & HEAP_HASNULL) == 0)
		return true;
	for (int i = 0; i < guarded->column; i++)
		if (att_isnull(i, row->t_bits))
			return false;
	return true;
}

static char *
walk_to_version(const DsGuarded *guarded, HeapTuple row)
{
	char	   *data = (char *) row->t_data + row->t_data->t_hoff;
	bool		has_nulls = HeapTupleHasNulls(row);
	uint32		offset = 0;

	for (int i = 0; i < guarded->column - 1; i++)
	{
		Form_pg_attribute column = TupleDescAttr(guarded->columns, i);

		if (has_nulls && att_isnull(i, row->t_data->t_bits))
			continue;
		offset = att_align_pointer(offset, column->attalign, column->attlen, data + offset);
		offset = att_addlength_pointer(offset, column->attlen, data + offset);
	}
	return data + att_align_nominal(offset, TupleDescAttr(guarded->columns, guarded->column - 1)->attalign);
}

/*
 * Where a row has its version; NULL when that is NULL, or when the row was
 * written before the table had the column.
 */
static inline char *
place_of_version(const DsGuarded *guarded, HeapTuple row)
{
	if (HeapTupleHeaderGetNatts(row->t_data) < guarded->column)
		return NULL;
	if (guarded->offset >= 0 && is_filled(guarded, row->t_data))
		return (char *) row->t_data + row->t_data->t_hoff + guarded->offset;
	if (heap_attisnull(row, guarded->column, guarded->columns))
		return NULL;
	return walk_to_version(guarded, row);
}

static inline int64
version_at(const DsGuarded *guarded, const char *place)
{
	if (guarded->size == sizeof(int32))
		return *(const int32 *) place;
	return guarded->size == sizeof(int64) ? *(const int64 *) place : *(const int16 *) place;
}

static Datum
version_datum(const DsGuarded *guarded, int64 version)
{
	if (guarded->size == sizeof(int16))
		return Int16GetDatum((int16) version);
	return guarded->size == sizeof(int32) ? Int32GetDatum((int32) version) : Int64GetDatum(version);
}

/* The version in a row: what the column had by default when the row is older than the column; 0 for NULL. */
static inline int64
version_of(const DsGuarded *guarded, HeapTuple row)
{
	const char *place = place_of_version(guarded, row);
	bool		is_null;
	Datum		value;

	if (place != NULL)
		return version_at(guarded, place);
	value = heap_getattr(row, guarded->column, guarded->columns, &is_null);
	if (is_null)
		return 0;
	if (guarded->size == sizeof(int16))
		return DatumGetInt16(value);
	return guarded->size == sizeof(int32) ? DatumGetInt32(value) : DatumGetInt64(value);
}

/* A copy of the row with another version. */
static HeapTuple
with_version(const DsGuarded *guarded, HeapTuple row, int64 version)
{
	int			column = guarded->column;
	bool		is_null = false;
	Datum		value = version_datum(guarded, version);

	return heap_modify_tuple_by_cols(row, guarded->columns, 1, &column, &value, &is_null);
}

/*
 * Whether the row that the trigger was given for storing is memory of the
 * slot that it is to be stored from, and of nothing else.
 */
static bool
is_of_slot(const TupleTableSlot *slot, HeapTuple row)
{
	return slot != NULL && (TTS_IS_BUFFERTUPLE(slot) || TTS_IS_HEAPTUPLE(slot)) &&
		TTS_SHOULDFREE(slot) && ((const HeapTupleTableSlot *) slot)->tuple == row;
}

/*
 * The row with another version, for storing.
 *
 * A trigger is to leave what it was given as it is, and to return another row.
 * That is copied here and by the server once more: with the taking apart and
 * putting together 7 % of an UPDATE of many rows.  The server has just made
 * the row for its slot, in memory that nothing else points to, so the version
 * is put into it there, and into what the slot has read of it; the server is
 * given back what it gave, and goes on with its slot.
 */
static HeapTuple
store_version(const TriggerData *trigger, const DsGuarded *guarded, int64 version)
{
	HeapTuple	row = trigger->tg_newtuple;
	TupleTableSlot *slot = trigger->tg_newslot;
	char	   *place = place_of_version(guarded, row);

	if (place == NULL || !is_of_slot(slot, row))
		return with_version(guarded, row, version);
	if (guarded->size == sizeof(int32))
		*(int32 *) place = (int32) version;
	else if (guarded->size == sizeof(int64))
		*(int64 *) place = version;
	else
		*(int16 *) place = (int16) version;
	if (slot->tts_nvalid >= guarded->column)
		slot->tts_values[guarded->column - 1] = version_datum(guarded, version);
	return row;
}

/* Raise 22003: the version cannot grow any more. */
pg_noreturn static void
refuse_growth(const DsGuarded *guarded)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_VERSION_OVERFLOW),
			 errmsg("a row of table \"%s\" is at the highest possible version",
					ds_name_of(ds_guarded_table(guarded))),
			 guarded->size == sizeof(int64)
			 ? errhint("Set its version to a lower number, while the table is not guarded.")
			 : errhint("Make the version column a bigint.")));
}

/* Raise PT428: an UPDATE that does not say which version it has seen. */
pg_noreturn static void
refuse_unnamed(const DsGuarded *guarded)
{
	Oid			relid = ds_guarded_table(guarded);
	const char *column = NameStr(TupleDescAttr(guarded->columns, guarded->column - 1)->attname);

	ereport(ERROR,
			(errcode(DS_ERRCODE_VERSION_REQUIRED),
			 errmsg("UPDATE of table \"%s\" does not set its version column \"%s\"",
					ds_name_of(relid), column),
			 errhint("Set it to the version that was read, or make the ORM do so. "
					 "If nothing was read, as for a counter, use \"SET %s = %s\".",
					 quote_identifier(column), quote_identifier(column)),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, get_namespace_name(get_rel_namespace(relid))),
			 err_generic_string(PG_DIAG_TABLE_NAME, get_rel_name(relid)),
			 err_generic_string(PG_DIAG_COLUMN_NAME, column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "docstore_version_required")));
}

/* Whether the SET list of the UPDATE names the version, by the number that the column has in this partition. */
static bool
names_version(const TriggerData *trigger, const DsGuarded *guarded)
{
	return bms_is_member(guarded->column - FirstLowInvalidHeapAttributeNumber, trigger->tg_updatedcols);
}

/* Whether a row was written by this transaction. */
static bool
is_by_this_transaction(HeapTuple row)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
}

/*
 * Whether somebody else wrote a row after the statement that updates it had
 * begun.  Rows of foreign tables do not tell.
 */
static bool
is_newer_than_statement(const DsGuarded *guarded, HeapTuple row)
{
	TransactionId writer = HeapTupleHeaderGetXmin(row->t_data);
	Snapshot	snapshot = GetActiveSnapshot();

	/* Most often it was written by a transaction that ended before any that the snapshot knows of. */
	if (!TransactionIdIsNormal(writer) || NormalTransactionIdPrecedes(writer, snapshot->xmin))
		return false;
	return XidInMVCCSnapshot(writer, snapshot) && !is_by_this_transaction(row) &&
		guarded->table->rd_rel->relkind == RELKIND_RELATION;
}

/* Whether the SET list of an UPDATE has no columns but those of a foreign key, and what is generated from them. */
static bool
sets_key_only(const TriggerData *trigger, const DsGuarded *guarded, const ForeignKeyCacheInfo *key)
{
	Bitmapset  *others = bms_copy(trigger->tg_updatedcols);
	int			number = -1;
	bool		result = !bms_is_empty(others);

	for (int i = 0; i < key->nkeys; i++)
		others = bms_del_member(others, key->conkey[i] - FirstLowInvalidHeapAttributeNumber);
	while (result && (number = bms_next_member(others, number)) >= 0)
	{
		AttrNumber	column = number + FirstLowInvalidHeapAttributeNumber;

		result = column > 0 && TupleDescAttr(guarded->columns, column - 1)->attgenerated != '\0';
	}
	bms_free(others);
	return result;
}

/*
 * Whether it is the server that updates the row, to keep a foreign key.  Only
 * then it tells itself to look past row security that is forced upon owners;
 * since triggers that it fires are told the same, the UPDATE must be one of
 * the columns of a foreign key.  It may leave them as they are: ON UPDATE SET
 * DEFAULT of a row that is at its default.
 */
static bool
is_cascade(const TriggerData *trigger, const DsGuarded *guarded)
{
	ListCell   *cell;

	if (!InNoForceRLSOperation())
		return false;
	foreach(cell, RelationGetFKeyList(guarded->table))
		if (sets_key_only(trigger, guarded, lfirst(cell)))
			return true;
	return false;
}

static HeapTuple
guard_update(const TriggerData *trigger, const DsGuarded *guarded)
{
	HeapTuple	old = trigger->tg_trigtuple;
	HeapTuple	new = trigger->tg_newtuple;
	int64		before = version_of(guarded, old);
	int64		after = version_of(guarded, new);

	if (guarded->is_strict && !names_version(trigger, guarded) && !is_cascade(trigger, guarded))
		refuse_unnamed(guarded);
	if (after == before || (after > before && after - 1 == before))
	{
		if (is_newer_than_statement(guarded, old) && !is_cascade(trigger, guarded))
			ds_guard_refuse_unseen(guarded, old, before);
		if (before == guarded->highest)
			refuse_growth(guarded);
		return after == before ? store_version(trigger, guarded, before + 1) : new;
	}
	ds_guard_refuse_update(guarded, old, before, after);
}

/*
 * docstore_internal.guard_row() RETURNS trigger: see the head of this file.
 *
 * An inserted row keeps the version that its writer sends, as ORMs begin with
 * 0 or with 1; NULL becomes 1.
 */
Datum
ds_guard_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ds_guard_require_trigger(fcinfo, "guard_row");
	DsGuarded  *guarded;

	ds_guard_require_fit(trigger, TRIGGER_FIRED_BEFORE(trigger->tg_event) &&
						 TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
						 !TRIGGER_FIRED_BY_DELETE(trigger->tg_event));
	guarded = guarded_table(fcinfo, trigger);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(guard_update(trigger, guarded));
	if (heap_attisnull(trigger->tg_trigtuple, guarded->column, guarded->columns))
		return PointerGetDatum(with_version(guarded, trigger->tg_trigtuple, 1));
	return PointerGetDatum(trigger->tg_trigtuple);
}
