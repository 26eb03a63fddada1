#pragma once
#include <dlfcn.h>
#include <gd.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>

// libgd brings some fifty libraries along, which would take each start of the program ten milliseconds, and a
// process of plain CGI is started for each request. So it is loaded when the first image is drawn.

#define FL_GD_FUNCTIONS(FUNCTION)                                                                          \
  FUNCTION(gdSetErrorMethod) FUNCTION(gdFontCacheSetup) FUNCTION(gdImageCreate)                           \
  FUNCTION(gdImageCreateTrueColor) FUNCTION(gdImageCreateFromPngPtr) FUNCTION(gdImageCreateFromJpegPtrEx) \
  FUNCTION(gdImageCreateFromWebpPtr) FUNCTION(gdImageDestroy) FUNCTION(gdImageSaveAlpha)                  \
  FUNCTION(gdImageAlphaBlending) FUNCTION(gdImageColorAllocateAlpha) FUNCTION(gdImageCopyResampled)       \
  FUNCTION(gdImageStringFT) FUNCTION(gdImageTrueColorToPalette) FUNCTION(gdImagePngPtrEx) FUNCTION(gdFree)

/// The functions of libgd that are used.
struct fl_gd {
#define FL_GD_MEMBER(name) __typeof__(name) *_Nonnull name;
  FL_GD_FUNCTIONS(FL_GD_MEMBER)
#undef FL_GD_MEMBER
};

static void fl_gd_ignore(int priority, const char *format, va_list arguments) {
  (void)priority;
  (void)format;
  (void)arguments;
}

/// Loads libgd and makes it ready; false where it is not there. It is silent: of a broken image whoever asked gets
/// NULL, and the log is no place for more. The fonts' lock is made, which libgd would else make at the first caption of
/// each of several threads at once.
static inline bool fl_gd_load(struct fl_gd *_Nonnull gd) {
  void *library = dlopen("libgd.so.3", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return false;
  void *found;
#define FL_GD_FIND(name)                             \
  if ((found = dlsym(library, #name)) == NULL) return false; \
  gd->name = (__typeof__(name) *)found;
  FL_GD_FUNCTIONS(FL_GD_FIND)
#undef FL_GD_FIND
  gd->gdSetErrorMethod(fl_gd_ignore);
  return gd->gdFontCacheSetup() == 0;
}

/// The colour at `place` of an image's palette, as a pixel of true colour.
static inline int fl_gd_palette(gdImagePtr _Nonnull image, int place) {
  return gdTrueColorAlpha(image->red[place], image->green[place], image->blue[place], image->alpha[place]);
}
