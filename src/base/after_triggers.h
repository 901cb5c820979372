/*
 * after_triggers.h - AFTER triggers of what several statements have written
 */
#ifndef DS_AFTER_TRIGGERS_H
#define DS_AFTER_TRIGGERS_H

extern void ds_after_triggers_fire(void);

#endif							/* DS_AFTER_TRIGGERS_H */
