/* byte_level.h - GPT-2's alphabet: a visible character for each of the 256 bytes. */
#ifndef TEXT_BYTE_LEVEL_H
#define TEXT_BYTE_LEVEL_H

#include <stddef.h>
#include <stdint.h>

#define BYTE_LEVEL_SPACE 0x120 /* the character of the space */

/* GPT-2's split into words, in Oniguruma's syntax. */
extern const char byte_level_pattern[];

/* The character of a byte, below 0x200. */
uint32_t byte_level_char(unsigned char byte);

/* The byte of a character, -1 when it is none of the alphabet. */
int byte_level_byte(uint32_t c);

#endif
