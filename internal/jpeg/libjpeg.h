//go:build cgo && unix

// What the Go side sees of libjpeg-turbo: open the library once, then any
// number of calls, from any thread. Nothing is kept between two calls.
#ifndef REPVGG_LIBJPEG_H
#define REPVGG_LIBJPEG_H

#include <stddef.h>

// The size of the buffer for the message of a failed call.
#define RJ_MESSAGE 320

// The functions of one opened library.
struct rj_library;

// rj_open loads a shared library by name or path. It returns NULL, with the
// reason in message, if there is none or if it is not libjpeg-turbo. With
// success, message is the path of the file.
struct rj_library *rj_open(const unsigned char *name, unsigned char *message);

// rj_size reads the header of a file. 0 is success, with the width and height
// in pixels in size; otherwise the reason is in message.
int rj_size(const struct rj_library *lib, const unsigned char *data, size_t length, int size[2],
            unsigned char *message);

// rj_decode decodes a file into rgb, which has 3 * size[0] * size[1] bytes, the
// size that rj_size gave. 0 is success; otherwise the reason is in message.
int rj_decode(const struct rj_library *lib, const unsigned char *data, size_t length, const int size[2],
              unsigned char *rgb, unsigned char *message);

#endif
