/*
 * merge_order.c - in which order the elements of a keyed array come
 *
 * What both mine and theirs have comes in the order that they agree on, or else
 * in that of the side which has moved what base has.  What only one of them has
 * comes after what it comes after there, so it moves along with that; where both
 * have put something at one place, what has the lower key goes first, whoever's
 * it is: the result is the same with mine and theirs the other way round.
 *
 * Elements that one side has deleted are in the order, too, since the other one
 * may have changed them.
 */
#include "postgres.h"

#include "base/compat.h"
#include "json/json_compare.h"
#include "json/merge_order.h"
#include "miscadmin.h"
#include "storage/shmem.h"

/* One side, and where its elements are in the others; -1: they are not. */
typedef struct Side
{
	const DsMergeElements *elements;
	int		   *in_base;
	int		   *in_other;
	bool		has_moved;		/* something that all three have */
} Side;

static int *
find_all(const DsMergeElements *elements, const DsMergeElements *in)
{
	int		   *places = palloc_extended(mul_size(Max(elements->count, 1), sizeof(int)), MCXT_ALLOC_HUGE);

	for (int i = 0; i < elements->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		places[i] = ds_merge_elements_find(in, &elements->elements[i].key);
	}
	return places;
}

static void
look_at(Side *side, const DsMergeElements *elements, const DsMergeElements *base, const DsMergeElements *other)
{
	int			latest = -1;

	side->elements = elements;
	side->in_base = find_all(elements, base);
	side->in_other = find_all(elements, other);
	side->has_moved = false;
	for (int i = 0; i < elements->count; i++)
	{
		if (side->in_base[i] < 0 || side->in_other[i] < 0)
			continue;
		side->has_moved |= side->in_base[i] < latest;
		latest = side->in_base[i];
	}
}

/* Whether both sides have what they share in the same order. */
static bool
agrees(const Side *side)
{
	int			latest = -1;

	for (int i = 0; i < side->elements->count; i++)
	{
		if (side->in_other[i] < 0)
			continue;
		if (side->in_other[i] < latest)
			return false;
		latest = side->in_other[i];
	}
	return true;
}

/* Where the elements end that only this side has, from a place on; *first gets the key of what it has inserted first. */
static int
find_end(const Side *side, int from, const JsonbValue **first)
{
	int			i = from;

	*first = NULL;
	for (; i < side->elements->count && side->in_other[i] < 0; i++)
		if (*first == NULL && side->in_base[i] < 0)
			*first = &side->elements->elements[i].key;
	return i;
}

static void
add_mine(DsMergeOrder *order, const Side *mine, int from, int end)
{
	for (int i = from; i < end; i++)
		order->places[order->count++] = (DsMergePlaces) {mine->in_base[i], i, -1};
}

static void
add_theirs(DsMergeOrder *order, const Side *theirs, int from, int end)
{
	for (int i = from; i < end; i++)
		order->places[order->count++] = (DsMergePlaces) {theirs->in_base[i], -1, i};
}

/* Add what only one of them has, from these places on. */
static void
add_single(DsMergeOrder *order, const Side *mine, int from_mine, const Side *theirs, int from_theirs)
{
	const JsonbValue *first_mine;
	const JsonbValue *first_theirs;
	int			end_mine = find_end(mine, from_mine, &first_mine);
	int			end_theirs = find_end(theirs, from_theirs, &first_theirs);
	bool		theirs_first = (first_mine != NULL && first_theirs != NULL &&
								ds_json_compare(first_theirs, first_mine) < 0);

	if (theirs_first)
		add_theirs(order, theirs, from_theirs, end_theirs);
	add_mine(order, mine, from_mine, end_mine);
	if (!theirs_first)
		add_theirs(order, theirs, from_theirs, end_theirs);
}

/* Find the order, in the current memory context. */
void
ds_merge_order(const DsMergeElements *base, const DsMergeElements *mine,
			   const DsMergeElements *theirs, DsMergeOrder *order)
{
	bool		by_theirs;
	Side		my_side;
	Side		their_side;
	const Side *leading;

	look_at(&my_side, mine, base, theirs);
	look_at(&their_side, theirs, base, mine);
	order->count = 0;
	order->places = palloc_extended(mul_size(Max((Size) mine->count + theirs->count, 1), sizeof(DsMergePlaces)),
									MCXT_ALLOC_HUGE);
	order->collides = !agrees(&my_side) && my_side.has_moved == their_side.has_moved;
	by_theirs = their_side.has_moved;
	leading = by_theirs ? &their_side : &my_side;

	add_single(order, &my_side, 0, &their_side, 0);
	for (int i = 0; i < leading->elements->count; i++)
	{
		int			other = leading->in_other[i];
		int			at_mine = by_theirs ? other : i;
		int			at_theirs = by_theirs ? i : other;

		CHECK_FOR_INTERRUPTS();
		if (other < 0)
			continue;
		order->places[order->count++] = (DsMergePlaces) {leading->in_base[i], at_mine, at_theirs};
		add_single(order, &my_side, at_mine + 1, &their_side, at_theirs + 1);
	}
}
