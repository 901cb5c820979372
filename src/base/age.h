/*
 * age.h - how old something may be
 */
#ifndef DS_AGE_H
#define DS_AGE_H

#include "postgres.h"

#include "datatype/timestamp.h"

extern TimestampTz ds_age_before(Datum older_than);

#endif							/* DS_AGE_H */
