/* block.h - what the built-in blocks need of the plugin host; private to the core. */
#ifndef LUN_BLOCK_H
#define LUN_BLOCK_H

#include "lun.h"

const lun_host *lun_host_table(void);    /* the one every plugin gets */

#endif
