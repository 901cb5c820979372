/*
 * attempt.h - one try at a batch: lock, compare, write
 */
#ifndef DS_ATTEMPT_H
#define DS_ATTEMPT_H

#include "postgres.h"

#include "batch/item.h"

/* How a try ended, or a part of it. */
typedef enum DsAttempt
{
	DS_DONE,
	DS_VIOLATED,				/* the items say why */
	DS_AGAIN					/* take everything back and try once more */
} DsAttempt;

extern DsAttempt ds_attempt(DsBatch *batch, bool may_try_again);

#endif							/* DS_ATTEMPT_H */
