/*
 * merge_elements.h - the elements of an array, found by their keys
 */
#ifndef DS_MERGE_ELEMENTS_H
#define DS_MERGE_ELEMENTS_H

#include "postgres.h"

#include "utils/jsonb.h"

/* An element; of a set it is its own key. */
typedef struct DsMergeElement
{
	JsonbValue	value;
	JsonbValue	key;
} DsMergeElement;

/* All of an array, each once. */
typedef struct DsMergeElements
{
	int			count;
	DsMergeElement *elements;	/* in the array's order */
	int		   *sorted;			/* their places, by key */
} DsMergeElements;

/* Where an element of the result is in the three arrays; -1: it is not. */
typedef struct DsMergePlaces
{
	int			base;
	int			mine;
	int			theirs;
} DsMergePlaces;

extern bool ds_merge_elements_read(JsonbContainer *array, const JsonbValue *key, DsMergeElements *elements);
extern void ds_merge_elements_read_set(JsonbContainer *array, DsMergeElements *elements);
extern int	ds_merge_elements_find(const DsMergeElements *elements, const JsonbValue *key);

#endif							/* DS_MERGE_ELEMENTS_H */
