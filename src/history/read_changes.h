/*
 * read_changes.h - the changes of a collection, in the order of readers
 */
#ifndef DS_READ_CHANGES_H
#define DS_READ_CHANGES_H

#include "postgres.h"

#include "feed/reader.h"
#include "nodes/execnodes.h"

/* Which of the changes in a range. */
typedef enum DsEach
{
	DS_EACH_CHANGE,
	DS_EACH_DOCUMENT			/* the last one of each document */
} DsEach;

extern DsEach ds_each_read(text *given);
extern uint64 ds_history_read_changes(const DsCollection *history, DsEach each, const DsFeedRange *range, ReturnSetInfo *set);

#endif							/* DS_READ_CHANGES_H */
