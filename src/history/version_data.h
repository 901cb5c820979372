/*
 * version_data.h - the data that a document had at a version
 */
#ifndef DS_VERSION_DATA_H
#define DS_VERSION_DATA_H

#include "postgres.h"

#include "table/description.h"
#include "utils/jsonb.h"

extern Jsonb *ds_version_data(const DsCollection *collection, Datum id, int64 version);

#endif							/* DS_VERSION_DATA_H */
