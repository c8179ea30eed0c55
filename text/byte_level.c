/*
** byte_level.c - GPT-2's alphabet of bytes.
**
** Printable bytes stand for themselves; the 68 others, in order, are U+0100 to U+0143.
** Source: bytes_to_unicode() of GPT-2's encoder.py (Radford et al. 2019).
*/
#include "byte_level.h"

const char byte_level_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static int is_printable(uint32_t byte) {
  return (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte < 0x100 && byte != 0xAD);
}

uint32_t byte_level_char(unsigned char byte) {
  if (is_printable(byte)) return byte;
  if (byte <= 0x20) return 0x100u + byte;
  return byte == 0xAD ? 0x143u : 0x121u + (byte - 0x7Fu); /* 0x7F to 0xA0 */
}

int byte_level_byte(uint32_t c) {
  if (c < 0x100) return is_printable(c) ? (int)c : -1;
  if (c <= 0x120) return (int)(c - 0x100);
  if (c < 0x143) return (int)(c - 0x121 + 0x7F);
  return c == 0x143 ? 0xAD : -1;
}
