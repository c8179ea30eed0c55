/*
** array.h - growable arrays.
**
** An array is any struct with members 'items' (a pointer), 'count' and 'cap'
** (size_t).  A zeroed one is empty; free(items) ends it.
*/
#ifndef TEXT_ARRAY_H
#define TEXT_ARRAY_H

#include <stddef.h>

/* Makes room for 'need' items; 0 when memory is out, the array then unchanged. */
#define ARRAY_RESERVE(a, need) \
  ((need) <= (a)->cap || array_grow(&(a)->items, &(a)->cap, (need), sizeof *(a)->items))

/* 'items' is the address of the pointer, whatever it points to. */
int array_grow(void *items, size_t *cap, size_t need, size_t item_size);

#endif
