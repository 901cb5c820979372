/*
 * merge_order.h - in which order the elements of a keyed array come
 */
#ifndef DS_MERGE_ORDER_H
#define DS_MERGE_ORDER_H

#include "postgres.h"

#include "json/merge_elements.h"

/* The places of all elements that mine or theirs have, in the order of the result. */
typedef struct DsMergeOrder
{
	int			count;
	DsMergePlaces *places;
	bool		collides;		/* two different reorderings; the order is that of one of them then */
} DsMergeOrder;

extern void ds_merge_order(const DsMergeElements *base, const DsMergeElements *mine,
						   const DsMergeElements *theirs, DsMergeOrder *order);

#endif							/* DS_MERGE_ORDER_H */
