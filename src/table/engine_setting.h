/*
 * engine_setting.h - docstore.engine
 */
#ifndef DS_ENGINE_SETTING_H
#define DS_ENGINE_SETTING_H

#include "postgres.h"

#include "table/description.h"

typedef enum DsEngineSetting
{
	DS_ENGINE_AUTO,
	DS_ENGINE_SQL,
	DS_ENGINE_ROWS
} DsEngineSetting;

extern void ds_engine_setting_init(void);
extern DsEngineSetting ds_engine_setting(void);
extern bool ds_engine_setting_is_by_row(const DsCollection *collection);

#endif							/* DS_ENGINE_SETTING_H */
