/*
 * merge_elements.c - the elements of an array, found by their keys
 *
 * Of a keyed array the key is what each element, an object, has in a member of
 * one name: a string or a number.  Of a set it is the element itself.
 */
#include "postgres.h"

#include "base/compat.h"
#include "json/json.h"
#include "json/json_compare.h"
#include "json/merge_elements.h"
#include "miscadmin.h"
#include "storage/shmem.h"

static int
compare_places(const void *left, const void *right, void *arg)
{
	const DsMergeElement *elements = arg;
	int			a = *(const int *) left;
	int			b = *(const int *) right;
	int			result = ds_json_compare(&elements[a].key, &elements[b].key);

	CHECK_FOR_INTERRUPTS();
	return result != 0 ? result : a - b;
}

static void
sort(DsMergeElements *elements)
{
	for (int i = 0; i < elements->count; i++)
		elements->sorted[i] = i;
	qsort_arg(elements->sorted, elements->count, sizeof(int), compare_places, elements->elements);
}

/* Make room for the elements of an array; one that is NULL has none. */
static void
begin(JsonbContainer *array, DsMergeElements *elements)
{
	int			count = array == NULL ? 0 : JsonContainerSize(array);

	elements->count = 0;
	elements->elements = palloc_extended(mul_size(Max(count, 1), sizeof(DsMergeElement)), MCXT_ALLOC_HUGE);
	elements->sorted = palloc_extended(mul_size(Max(count, 1), sizeof(int)), MCXT_ALLOC_HUGE);
}

static bool
is_repeated(const DsMergeElements *elements, int i)
{
	return i > 0 && ds_json_compare(&elements->elements[elements->sorted[i - 1]].key,
									&elements->elements[elements->sorted[i]].key) == 0;
}

/* Read a keyed array; false when an element has no key, or the key of another one. */
bool
ds_merge_elements_read(JsonbContainer *array, const JsonbValue *key, DsMergeElements *elements)
{
	DsJsonWalk	walk;

	begin(array, elements);
	if (array == NULL)
		return true;
	ds_json_walk_begin(&walk, array);
	while (ds_json_walk_next(&walk))
	{
		DsMergeElement *element = &elements->elements[elements->count++];
		JsonbContainer *object = ds_json_object(&walk.value);

		element->value = walk.value;
		if (object == NULL ||
			getKeyJsonValueFromContainer(object, key->val.string.val, key->val.string.len, &element->key) == NULL ||
			(element->key.type != jbvString && element->key.type != jbvNumeric))
			return false;
	}
	sort(elements);
	for (int i = 1; i < elements->count; i++)
		if (is_repeated(elements, i))
			return false;
	return true;
}

/* Read a set: what is in it more than once counts once, at its first place. */
void
ds_merge_elements_read_set(JsonbContainer *array, DsMergeElements *elements)
{
	DsJsonWalk	walk;
	bool	   *repeated;
	int			kept = 0;

	begin(array, elements);
	if (array == NULL)
		return;
	ds_json_walk_begin(&walk, array);
	while (ds_json_walk_next(&walk))
	{
		DsMergeElement *element = &elements->elements[elements->count++];

		element->value = walk.value;
		element->key = walk.value;
	}
	sort(elements);
	repeated = palloc_extended(Max(elements->count, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 1; i < elements->count; i++)
		repeated[elements->sorted[i]] = is_repeated(elements, i);
	for (int i = 0; i < elements->count; i++)
		if (!repeated[i])
			elements->elements[kept++] = elements->elements[i];
	elements->count = kept;
	sort(elements);
}

/* The place of the element with that key, or -1. */
int
ds_merge_elements_find(const DsMergeElements *elements, const JsonbValue *key)
{
	int			low = 0;
	int			high = elements->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		int			place = elements->sorted[middle];
		int			result = ds_json_compare(key, &elements->elements[place].key);

		if (result == 0)
			return place;
		if (result < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}
