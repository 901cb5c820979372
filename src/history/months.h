/*
 * months.h - the partitions of a history
 */
#ifndef DS_MONTHS_H
#define DS_MONTHS_H

#include "postgres.h"

/* What is longest of what is added to the name of a history. */
#define DS_MONTH_SUFFIX "_2026_12"

extern void ds_months_make(Oid history, bool is_unlogged, bool is_new);

#endif							/* DS_MONTHS_H */
