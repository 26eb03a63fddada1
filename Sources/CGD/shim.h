#pragma once
#include <gd.h>
#include <stdarg.h>

static void fl_gd_ignore(int priority, const char *format, va_list arguments) {
  (void)priority;
  (void)format;
  (void)arguments;
}

/// What libgd has to say of a broken image goes nowhere: whoever asked gets NULL, and the log is no place for it.
static inline void fl_gd_silence(void) { gdSetErrorMethod(fl_gd_ignore); }

/// The colour at `place` of an image's palette, as a pixel of true colour.
static inline int fl_gd_palette(gdImagePtr image, int place) {
  return gdTrueColorAlpha(image->red[place], image->green[place], image->blue[place], image->alpha[place]);
}
