/*
 * conflict.c - many violations, one error
 *
 * The shape is the same for 1 and for 10,000 violations: a constant SQLSTATE
 * and constraint name, one ASCII line as message, one line of JSON as DETAIL.
 * Clients read the JSON (docstore.violations() turns it into rows) and never
 * the prose.
 *
 * The statement and the context are kept out of the server's log for this
 * error, since a statement can hold whole documents.
 *
 * Whoever adds a violation vouches that it is true: read under the row's
 * lock, or final for another reason (document.c, attempt.c).
 */
#include "postgres.h"

#include "base/errors.h"
#include "common/int.h"
#include "conflict/conflict.h"
#include "table/collection.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#define CONSTRAINT "docstore_expected_version"

static char *conflict_sqlstate = NULL;
static int	max_violations = 100;

/*
 * A replay of the same call can never succeed, so the conflict must not wear
 * a code that makes clients replay blindly (40001), nor one that means
 * success, a warning or the end of data (classes 00, 01, 02).
 */
static bool
check_conflict_sqlstate(char **newval, pg_attribute_unused() void **extra,
						pg_attribute_unused() GucSource source)
{
	const char *code = *newval;

	if (strlen(code) != 5 || strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5)
	{
		GUC_check_errdetail("An SQLSTATE consists of five digits or upper-case letters.");
		return false;
	}
	if (strcmp(code, "40001") == 0)
	{
		GUC_check_errdetail("Clients repeat a transaction after 40001, but a stale version would fail every time.");
		return false;
	}
	if (code[0] == '0' && code[1] <= '2')
	{
		GUC_check_errdetail("Classes 00, 01 and 02 do not stand for errors.");
		return false;
	}
	return true;
}

/* Define docstore.conflict_sqlstate and docstore.max_violations. */
void
ds_conflict_init(void)
{
	DefineCustomStringVariable("docstore.conflict_sqlstate",
							   "SQLSTATE of the conflict.",
							   NULL,
							   &conflict_sqlstate,
							   "PT409",
							   PGC_USERSET,
							   0,
							   check_conflict_sqlstate, NULL, NULL);
	DefineCustomIntVariable("docstore.max_violations",
							"The most violations that a conflict lists; its total counts all.",
							NULL,
							&max_violations,
							100, 1, 1000000,
							PGC_USERSET,
							0,
							NULL, NULL, NULL);
}

/* The SQLSTATE of the conflict. */
const char *
ds_conflict_code(void)
{
	return conflict_sqlstate;
}

/* Begin to gather violations, in the current memory context. */
void
ds_conflict_begin(DsConflict *conflict)
{
	memset(conflict, 0, sizeof(DsConflict));
	initStringInfo(&conflict->list);
}

/*
 * Begin a call with that many items: its violations come next, and their
 * numbers go on from those of the calls before.
 */
void
ds_conflict_add_call(DsConflict *conflict, int items)
{
	conflict->items_before = conflict->items;
	if (pg_add_s32_overflow(conflict->items, items, &conflict->items))
		ereport(ERROR,
				(errcode(DS_ERRCODE_TOO_MANY),
				 errmsg("too many items in one transaction with deferred conflicts"),
				 errhint("Commit more often.")));
}

/* Of how many things one violation tells at most, as a conflict does of violations. */
int
ds_conflict_limit(void)
{
	return max_violations;
}

/* Whether further violations will be counted, but not listed. */
bool
ds_conflict_is_full(const DsConflict *conflict)
{
	return conflict->listed >= max_violations;
}

/* What can be done about a violation, and the sentence for it. */
enum
{
	LOAD_ITEMS,
	LOAD_ROW,
	LOOK_BEHIND,
	NAME_BASE,
	SHOW_COLLISIONS,
	DECIDE_AGAIN,
	GO_ON,
	READ_SCOPE,
	TAKE_MARK,
	LEAVE_STREAM
};

static const char *const advice[] = {
	[LOAD_ITEMS] = "Load the listed items again, apply the change to them, and save again.",
	[LOAD_ROW] = "Load the row again, apply the change to it, and save again.",
	[LOOK_BEHIND] = "What is missing may be there all the same, hidden from you by row security.",
	[NAME_BASE] = "A merge was not told what its edit began with: pass that as base, or have docstore.track() record it.",
	[SHOW_COLLISIONS] = "Two edits collide at the paths listed. docstore.preview_merge() shows what each of them has there.",
	[DECIDE_AGAIN] = "A document does not contain what if_contains asks for. Load it again and decide again.",
	[GO_ON] = "The consumer has come further than this cursor. Load its cursor again and go on from there, or delete its document to begin again.",
	[READ_SCOPE] = "Read the scope again and decide again.",
	[TAKE_MARK] = ("A mark is of another log or server, or from before a restart or failover. "
				   "Take one of this log with docstore.mark(), then read the scope again and decide again."),
	[LEAVE_STREAM] = "A closed stream takes no more events. Append to another one.",
};

/*
 * As bits: to load again does not help where row security hides what is there,
 * nor to read again a scope of which it is told that its mark does not count.
 */
static uint32
choose_advice(const DsViolation *violation)
{
	if (violation->reason == DS_CLOSED)
		return 1U << LEAVE_STREAM;
	if (violation->reason == DS_SCOPE_REASON)
		return 1U << (violation->details != NULL ? TAKE_MARK : READ_SCOPE);
	if (violation->reason == DS_CONDITION)
		return 1U << DECIDE_AGAIN;
	if (violation->reason == DS_COLLISION)
		return 1U << SHOW_COLLISIONS;
	if (violation->reason == DS_BEHIND)
		return 1U << GO_ON;
	if (violation->kind == DS_KIND_ROW)
		return 1U << LOAD_ROW;
	if (violation->reason == DS_STALE && violation->details != NULL)
		return 1U << LOAD_ITEMS | 1U << NAME_BASE;
	if (violation->reason == DS_MISSING && check_enable_rls(violation->relid, InvalidOid, true) == RLS_ENABLED)
		return 1U << LOAD_ITEMS | 1U << LOOK_BEHIND;
	return 1U << LOAD_ITEMS;
}

/* The hint: a sentence for each thing that is to be done. */
static const char *
hint(const DsConflict *conflict, const char *preface)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, preface);
	for (size_t i = 0; i < lengthof(advice); i++)
		if (conflict->advice & (1U << i))
			appendStringInfo(&text, "%s%s", text.len > 0 ? " " : "", advice[i]);
	return text.data;
}

static void
append_member(StringInfo json, const char *key, const char *value)
{
	appendStringInfo(json, ", \"%s\": ", key);
	if (value == NULL)
		appendStringInfoString(json, "null");
	else
		escape_json(json, value);
}

static const struct
{
	const char *name;
	const char *target;			/* the key of the table's name */
}			kinds[] = {
	[DS_KIND_DOCUMENT] = {"document", "collection"},
	[DS_KIND_ROW] = {"row", "table"},
	[DS_KIND_STREAM] = {"stream", "log"},
	[DS_KIND_SCOPE] = {"scope", "log"},
};

static void
append_violation(StringInfo json, int item, const DsViolation *violation)
{
	appendStringInfo(json, "%s{\"item\": %d", json->len > 0 ? ", " : "", item);
	append_member(json, "op", violation->op);
	append_member(json, "kind", kinds[violation->kind].name);
	append_member(json, kinds[violation->kind].target, ds_name_of(violation->relid));
	if (violation->kind == DS_KIND_SCOPE)
		appendStringInfo(json, ", \"scope\": %s", violation->scope);
	else
		append_member(json, "id", violation->id);
	append_member(json, "reason", ds_reason_name(violation->reason));
	if (violation->seen != NULL)
		append_member(json, "seen", violation->seen);
	else
		appendStringInfo(json, ", \"expected\": %s", ds_expectation_to_json(violation->expected));
	appendStringInfoString(json, ", \"actual\": ");
	if (violation->actual_known)
		appendStringInfo(json, INT64_FORMAT, violation->actual);
	else
		appendStringInfoString(json, "null");
	if (violation->details != NULL)
		appendStringInfo(json, ", %s", violation->details);
	appendStringInfoChar(json, '}');
}

/* Add one violation of the latest call; callers add them in item order. */
void
ds_conflict_add(DsConflict *conflict, const DsViolation *violation)
{
	if (conflict->total == 0)
		conflict->relid = violation->relid;
	else if (conflict->relid != violation->relid)
		conflict->relid = InvalidOid;

	if (conflict->total == 0 || conflict->latest != conflict->items_before + violation->item)
		conflict->violated++;
	conflict->latest = conflict->items_before + violation->item;
	conflict->total++;
	conflict->advice |= choose_advice(violation);
	if (ds_conflict_is_full(conflict))
		return;
	append_violation(&conflict->list, conflict->items_before + violation->item, violation);
	conflict->listed++;
}

/*
 * The SCHEMA and TABLE NAME fields, when one collection has all violations.
 * A deferred conflict may be about a table that was dropped in the meantime.
 */
static void
set_table_fields(Oid relid)
{
	char	   *name = OidIsValid(relid) ? get_rel_name(relid) : NULL;

	if (name == NULL)
		return;
	err_generic_string(PG_DIAG_SCHEMA_NAME, get_namespace_name(get_rel_namespace(relid)));
	err_generic_string(PG_DIAG_TABLE_NAME, name);
}

/* Raise the conflict, with a hint that says what to do, after that preface. */
void
ds_conflict_raise(const DsConflict *conflict, const char *preface)
{
	const char *code = conflict_sqlstate;

	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])),
			 errmsg_plural("version conflict: %d of %d items does not match its expected version",
						   "version conflict: %d of %d items do not match their expected version",
						   conflict->violated, conflict->violated, conflict->items),
			 errdetail_internal("{\"total\": %d, \"violations\": [%s]}",
								conflict->total, conflict->list.data),
			 errhint("%s", hint(conflict, preface)),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, CONSTRAINT),
			 set_table_fields(conflict->relid),
			 errhidestmt(true),
			 errhidecontext(true)));
}
