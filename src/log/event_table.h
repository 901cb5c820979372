/*
 * event_table.h - the tables that are event logs
 */
#ifndef DS_EVENT_TABLE_H
#define DS_EVENT_TABLE_H

extern void ds_event_table_init(void);

#endif							/* DS_EVENT_TABLE_H */
