/*
 * condition.c - what a document must contain to be written
 *
 * Whoever changes one field need not mind what becomes of the others.  So in
 * place of a version, or beside one, a call can say what the document is to
 * contain, by jsonb's @>.  That is looked at under the row's lock, as versions
 * are, and by a statement of its own: nobody else can change the row any more.
 *
 * Who may not see the data may not ask what it contains either: the statement
 * needs SELECT on it, and row security hides what it hides.
 */
#include "postgres.h"

#include "document/condition.h"
#include "document/document.h"
#include "executor/spi.h"
#include "table/plan.h"

/* Whether a document that is locked contains that JSON.  The caller is connected to SPI. */
bool
ds_condition_holds(const DsCollection *collection, Datum id, Datum condition)
{
	Datum		values[2] = {id, condition};
	bool		holds = (ds_plan_execute(collection, DS_CONTAINS, DS_WRITE, values, NULL) > 0 &&
						 ds_plan_bool(0, 1));

	SPI_freetuptable(SPI_tuptable);
	return holds;
}

typedef struct Patch
{
	Datum		patch;
	Datum		condition;
} Patch;

static bool
patch_if(const DsCollection *collection, Datum id, void *context, DsDocumentChange *change, DsOutcome *outcome)
{
	const Patch *given = context;

	change->data = given->patch;
	change->is_patch = true;
	if (!ds_condition_holds(collection, id, given->condition))
		outcome->reason = DS_CONDITION;
	return outcome->reason == DS_NO_REASON;
}

/*
 * Patch a document that is there, as ds_document_patch(), if it contains that
 * JSON.  Locks the row FOR NO KEY UPDATE, also where it does not.
 */
void
ds_condition_patch(const DsCollection *collection, Datum id, Datum patch, Datum condition,
				   int64 expected, DsOutcome *outcome)
{
	Patch		given = {patch, condition};

	ds_document_decide(collection, id, expected, patch_if, &given, outcome);
}
