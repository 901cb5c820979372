/*
 * plan.c - statements with kept plans
 *
 * A plan is made once for each statement on a table and kept for the session,
 * as ri_triggers.c does for foreign keys.  It is always the generic plan,
 * whatever plan_cache_mode says: a custom one for 1,000 ids flips to a hash
 * join over a sequential scan.  And it is planned with everything but index
 * lookups disabled, since a plan that was made while the table was small would
 * otherwise scan it for as long as the session lives.
 *
 * Where only the values tell which index leads to few rows, a statement is
 * by_cost: it is parsed once, and planned for the values each time, with the
 * caller's settings.
 *
 * CAUTION: the server makes a stale plan again from its *text*, and the names
 * in it may mean another table by then (ALTER SCHEMA ... RENAME locks no
 * table).  So plans that are not current are thrown away here, and written
 * anew under the lock that the caller holds on the table; what was planned is
 * checked to be about that table.  A plan can still turn stale while it is about
 * to be executed, as that takes more locks, those of partitions: what the server
 * makes of it then serves that once, and is checked as well.
 *
 * Callers have connected to SPI and locked the table, which is looked at again
 * each time (collection.c).  Results are in SPI_tuptable until SPI_finish().
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "table/collection.h"
#include "table/kind.h"
#include "table/plan.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* Plans take some 30 kB each; beyond this many the least recently used goes. */
#define MAX_KEPT 512

typedef struct TableKey
{
	Oid			relid;
	DsPlanKey	plan;
} TableKey;

typedef struct KeptPlan
{
	TableKey	key;			/* hash key: must be first */
	SPIPlanPtr	plan;			/* NULL: none */
	bool		by_cost;		/* what is kept has been parsed, not planned */
	int			generation;		/* the server's count of its plans, when it was planned here */
	int			uses;			/* executions under way; a trigger can nest them */
	dlist_node	recency;
} KeptPlan;

static HTAB *kept_plans = NULL;
static dlist_head by_recency = DLIST_STATIC_INIT(by_recency);	/* latest first */

static CachedPlanSource *
plan_source(SPIPlanPtr plan)
{
	return (CachedPlanSource *) linitial(SPI_plan_get_plan_sources(plan));
}

/* Whether the generic plan is the one that was planned here, and can be used as it is. */
static bool
is_generic_current(const KeptPlan *kept)
{
	CachedPlanSource *source = plan_source(kept->plan);
	CachedPlan *generic = source->gplan;

	if (generic == NULL || !generic->is_valid || source->generation != kept->generation)
		return false;
	if (generic->dependsOnRole && generic->planRoleId != GetUserId())
		return false;
	return !TransactionIdIsValid(generic->saved_xmin) ||
		TransactionIdEquals(generic->saved_xmin, TransactionXmin);
}

/*
 * Whether executing the plan now would use what was made here as it is, without
 * parsing anything again, nor planning unless it is by_cost.  The tests are
 * those of plancache.c.
 */
static bool
is_current(const KeptPlan *kept)
{
	CachedPlanSource *source = plan_source(kept->plan);

	if (!source->is_valid || !SearchPathMatchesCurrentEnvironment(source->search_path))
		return false;
	if (source->dependsOnRLS &&
		(source->rewriteRoleId != GetUserId() || source->rewriteRowSecurity != row_security))
		return false;
	return kept->by_cost || is_generic_current(kept);
}

/* Names are looked up whenever a statement is parsed: they must have meant this table. */
static void
require_table(SPIPlanPtr plan, Oid relid)
{
	if (!list_member_oid(plan_source(plan)->relationOids, relid))
		ereport(ERROR,
				(errcode(DS_ERRCODE_SERIALIZATION),
				 errmsg("table \"%s\" was renamed while it was in use", ds_name_of(relid)),
				 errhint("The transaction might succeed if retried.")));
}

static void
set(const char *setting, const char *value)
{
	(void) set_config_option(setting, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Make the generic plan: by the primary key, for any number of rows, whatever
 * the caller has set.  Where rows are wanted in the order of an index, by that
 * one; where by a bitmap, by the index that can be used for no more than that;
 * parts of a statement can be either.
 */
static void
plan_by_key(SPIPlanPtr plan, const DsStatementText *text, bool is_kept)
{
	static const char *const wanted[] = {"enable_indexscan", "enable_nestloop", "enable_tidscan"};
	static const char *const unwanted[] = {
		"enable_sort", "enable_incremental_sort", "enable_seqscan", "enable_bitmapscan", "enable_hashjoin",
		"enable_mergejoin", "enable_material", "enable_memoize", "jit"
	};
	int			nest_level = NewGUCNestLevel();

	for (size_t i = 0; i < lengthof(wanted); i++)
		set(wanted[i], "on");
	for (size_t i = text->in_order ? 0 : 2; i < lengthof(unwanted); i++)
		set(unwanted[i], "off");
	if (text->by_bitmap)
		set("enable_bitmapscan", "on");
	if (text->by_bitmap && !text->in_order)
		set("enable_indexscan", "off");
	ReleaseCachedPlan(SPI_plan_get_cached_plan(plan), is_kept ? CurrentResourceOwner : NULL);
	AtEOXact_GUC(true, nest_level);
}

/* A statement as it is asked for. */
typedef struct Request
{
	TableKey	key;
	const void *context;		/* for who writes it */
	DestReceiver *into;			/* NULL: SPI_tuptable */
} Request;

/* The key is compared byte by byte: there is nothing in its gaps. */
static void
begin_request(Request *request, Oid relid, DsPlanKey plan, const void *context)
{
	memset(request, 0, sizeof(Request));
	request->key.relid = relid;
	request->key.plan.build = plan.build;
	request->key.plan.form = plan.form;
	request->key.plan.path = plan.path;
	request->key.plan.varies = plan.varies;
	request->context = context;
}

/* Prepare a statement; the plan lives as long as the SPI connection. */
static SPIPlanPtr
prepare(const Request *request, const DsStatementText *text)
{
	const Oid  *types = text->all_types != NULL ? text->all_types : text->types;
	SPIPlanPtr	plan = SPI_prepare_cursor(text->sql, text->parameters, unconstify(Oid *, types),
										  text->by_cost ? CURSOR_OPT_CUSTOM_PLAN : CURSOR_OPT_GENERIC_PLAN);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	require_table(plan, request->key.relid);
	return plan;
}

static void
drop_plan(KeptPlan *kept)
{
	SPIPlanPtr	plan = kept->plan;

	kept->plan = NULL;
	if (plan != NULL)
		SPI_freeplan(plan);
}

/* Make room for one more entry, at the cost of the least recently used. */
static void
evict(void)
{
	dlist_iter	iter;

	dlist_reverse_foreach(iter, &by_recency)
	{
		KeptPlan   *kept = dlist_container(KeptPlan, recency, iter.cur);

		if (kept->uses > 0)
			continue;
		drop_plan(kept);
		dlist_delete(&kept->recency);
		hash_search(kept_plans, &kept->key, HASH_REMOVE, NULL);
		return;
	}
}

static KeptPlan *
recall(const TableKey *key)
{
	KeptPlan   *kept;
	bool		found;

	if (kept_plans == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(TableKey), .entrysize = sizeof(KeptPlan)};

		kept_plans = hash_create("docstore plans", 64, &control, HASH_ELEM | HASH_BLOBS);
	}

	kept = hash_search(kept_plans, key, HASH_FIND, NULL);
	if (kept != NULL)
	{
		dlist_move_head(&by_recency, &kept->recency);
		return kept;
	}

	if (hash_get_num_entries(kept_plans) >= MAX_KEPT)
		evict();
	kept = hash_search(kept_plans, key, HASH_ENTER, &found);
	kept->plan = NULL;
	kept->uses = 0;
	dlist_push_head(&by_recency, &kept->recency);
	return kept;
}

/*
 * The plan to execute: the kept one, made first or made again if need be.
 * While an execution further out still uses a kept plan that is not current
 * any more, the nested one gets a plan of its own.
 */
static SPIPlanPtr
current_plan(const Request *request, KeptPlan *kept)
{
	SPIPlanPtr	plan;
	DsStatementText text = {0};
	bool		serves = kept->plan != NULL && is_current(kept);

	if (serves && !request->key.plan.varies)
		return kept->plan;
	request->key.plan.build(request->context, &text);
	if (serves && strcmp(plan_source(kept->plan)->query_string, text.sql) == 0)
		return kept->plan;

	plan = prepare(request, &text);
	if (kept->uses > 1)
	{
		if (!text.by_cost)
			plan_by_key(plan, &text, false);
		return plan;
	}

	drop_plan(kept);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	kept->plan = plan;
	kept->by_cost = text.by_cost;
	if (!text.by_cost)
		plan_by_key(plan, &text, true);
	kept->generation = plan_source(plan)->generation;
	return plan;
}

/*
 * Where plan_cache_mode asks for custom or generic plans, the server looks at it
 * before it looks at what a plan was prepared for.  So it is hidden until the plan
 * is chosen and the executor starts: whatever the statement runs sees the caller's.
 */
static int	hidden_mode = PLAN_CACHE_MODE_AUTO;
static ExecutorStart_hook_type hidden_hook;

static void
show_mode(void)
{
	if (hidden_mode == PLAN_CACHE_MODE_AUTO)
		return;
	plan_cache_mode = hidden_mode;
	ExecutorStart_hook = hidden_hook;
	hidden_mode = PLAN_CACHE_MODE_AUTO;
}

static void
start_with_mode(QueryDesc *query, int flags)
{
	show_mode();
	ExecutorStart(query, flags);
}

static void
hide_mode(void)
{
	if (plan_cache_mode == PLAN_CACHE_MODE_AUTO)
		return;
	hidden_mode = plan_cache_mode;
	hidden_hook = ExecutorStart_hook;
	plan_cache_mode = PLAN_CACHE_MODE_AUTO;
	ExecutorStart_hook = start_with_mode;
}

/* The parameters of a plan, as the executor wants them. */
static ParamListInfo
parameters(SPIPlanPtr plan, const Datum *values, const char *nulls)
{
	int			count = SPI_getargcount(plan);
	ParamListInfo list = makeParamList(count);

	for (int i = 0; i < count; i++)
	{
		list->params[i].value = values[i];
		list->params[i].isnull = nulls != NULL && nulls[i] == 'n';
		list->params[i].pflags = PARAM_FLAG_CONST;
		list->params[i].ptype = SPI_getargtypeid(plan, i);
	}
	return list;
}

static int
execute(SPIPlanPtr plan, DestReceiver *into, DsExecution execution, Datum *values, const char *nulls)
{
	SPIExecuteOptions options = {.read_only = true, .dest = into};

	if (into != NULL)
	{
		options.params = parameters(plan, values, nulls);
		return SPI_execute_plan_extended(plan, &options);
	}
	return SPI_execute_snapshot(plan, values, nulls, InvalidSnapshot, InvalidSnapshot,
								execution == DS_READ, execution != DS_WRITE_BATCH, 0);
}

static uint64
run(const Request *request, DsExecution execution, Datum *values, const char *nulls)
{
	KeptPlan   *volatile kept = recall(&request->key);
	volatile int result = 0;

	/* In use from here on, so that nothing that planning or a trigger does evicts it. */
	kept->uses++;
	PG_TRY();
	{
		SPIPlanPtr	plan = current_plan(request, kept);

		hide_mode();
		result = execute(plan, request->into, execution, values, nulls);
		require_table(plan, request->key.relid);
	}
	PG_FINALLY();
	{
		show_mode();
		kept->uses--;
	}
	PG_END_TRY();

	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/*
 * Execute a statement on a table; returns the number of rows, which are in
 * SPI_tuptable.  It is written with that context when it has to be planned.
 * nulls is as SPI wants it, NULL when there are none.
 */
uint64
ds_plan_run(const DsCollection *table, DsPlanKey key, const void *context,
			DsExecution execution, Datum *values, const char *nulls)
{
	ds_collection_look_again(table);
	return ds_plan_run_on(table->relid, key, context, execution, values, nulls);
}

/* The same on a table that is none of a user's: docstore.requests. */
uint64
ds_plan_run_on(Oid relid, DsPlanKey key, const void *context,
			   DsExecution execution, Datum *values, const char *nulls)
{
	Request		request;

	begin_request(&request, relid, key, context);
	return run(&request, execution, values, nulls);
}

/*
 * Put the rows of a statement into the result of a set-returning function,
 * whose columns they have.  They go there one by one, as there may be more
 * than memory holds.
 * Reads what the active snapshot shows; returns how many there are.
 */
uint64
ds_plan_return(const DsCollection *table, DsPlanKey key, const void *context,
			   Datum *values, const char *nulls, ReturnSetInfo *set)
{
	Request		request;

	ds_collection_look_again(table);
	begin_request(&request, table->relid, key, context);
	request.into = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(request.into, set->setResult, CurrentMemoryContext, false,
									set->setDesc, "the rows do not have the columns of the result");
	return run(&request, DS_READ, values, nulls);
}

/*
 * Open a cursor on a statement, to fetch from as long as rows are wanted; it
 * reads what the active snapshot shows.
 */
Portal
ds_plan_open(const DsCollection *table, DsPlanKey key, const void *context,
			 Datum *values, const char *nulls)
{
	Request		request;
	KeptPlan   *volatile kept;
	Portal volatile portal = NULL;

	ds_collection_look_again(table);

	begin_request(&request, table->relid, key, context);

	/* The portal keeps the plan from going, but only once it is open. */
	kept = recall(&request.key);
	kept->uses++;
	PG_TRY();
	{
		SPIPlanPtr	plan = current_plan(&request, kept);

		hide_mode();
		portal = SPI_cursor_open(NULL, plan, values, nulls, true);
		require_table(plan, table->relid);
	}
	PG_FINALLY();
	{
		show_mode();
		kept->uses--;
	}
	PG_END_TRY();
	return portal;
}

typedef struct OnCollection
{
	const DsCollection *collection;
	DsStatement statement;
} OnCollection;

static void
build_on_collection(const void *context, DsStatementText *text)
{
	const OnCollection *on = context;

	ds_kind_of(on->collection)->build(on->collection, on->statement, text);
}

/* Execute one of the statements on documents and streams. */
uint64
ds_plan_execute(const DsCollection *collection, DsStatement statement,
				DsExecution execution, Datum *values, const char *nulls)
{
	OnCollection on = {collection, statement};
	DsPlanKey	key = {.build = build_on_collection, .form = statement, .path = collection->by_place + 2 * collection->by_row};

	return ds_plan_run(collection, key, &on, execution, values, nulls);
}

/* Execute a command that has no plan, CREATE or ALTER or DROP, and needs no SPI connection. */
void
ds_plan_execute_utility(const char *sql)
{
	int			result;

	SPI_connect();
	result = SPI_execute(sql, false, 0);
	if (result != SPI_OK_UTILITY)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	SPI_finish();
}

/*
 * A value of the last result; columns count from 1.  It is of the type that is
 * asked for, or it is not looked at: what is taken for a pointer must be one.
 */
Datum
ds_plan_value(uint64 row, int column, Oid type, bool *is_null)
{
	if (SPI_tuptable == NULL || SPI_gettypeid(SPI_tuptable->tupdesc, column) != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column %d of a result is not of type %s", column, format_type_be(type))));
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, is_null);
}

/* Values of the last result that cannot be NULL. */
Datum
ds_plan_datum(uint64 row, int column, Oid type)
{
	bool		is_null;
	Datum		value = ds_plan_value(row, column, type, &is_null);

	if (is_null)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a row has NULL in column \"%s\", which is NOT NULL",
						NameStr(TupleDescAttr(SPI_tuptable->tupdesc, column - 1)->attname)),
				 errhint("The constraint was not validated. Give the rows that violate it a value.")));
	return value;
}

int64
ds_plan_int64(uint64 row, int column)
{
	return DatumGetInt64(ds_plan_datum(row, column, INT8OID));
}

bool
ds_plan_bool(uint64 row, int column)
{
	return DatumGetBool(ds_plan_datum(row, column, BOOLOID));
}
