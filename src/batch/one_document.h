/*
 * one_document.h - a batch of one document, without locking it first
 */
#ifndef DS_ONE_DOCUMENT_H
#define DS_ONE_DOCUMENT_H

#include "postgres.h"

#include "batch/item.h"

extern bool ds_one_document_write(DsBatch *batch);

#endif							/* DS_ONE_DOCUMENT_H */
