/*
 * row_error.h - why a row that may be written by its version cannot be
 */
#ifndef DS_ROW_ERROR_H
#define DS_ROW_ERROR_H

#include "postgres.h"

#include "base/compat.h"
#include "table/description.h"

extern bool ds_row_security_applies(const DsCollection *collection);
pg_noreturn extern void ds_row_refuse_growth(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_row_refuse_trigger(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_row_refuse_interference(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_row_refuse_unwritable(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_row_refuse_unwritten(const DsCollection *collection, Datum id);

#endif							/* DS_ROW_ERROR_H */
