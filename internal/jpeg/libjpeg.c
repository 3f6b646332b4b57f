//go:build cgo && unix

#ifdef __linux__
#define _GNU_SOURCE // dladdr
#endif

#include "libjpeg.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The part of libjpeg's binary interface that is used here. There is no header,
// so that building needs none. These fields have had this order in every
// version of the interface from 6.2 to 8.0; behind them the library keeps
// further ones, which differ, so that it is asked for the whole size.

struct decompress;

struct errors {
	void (*error_exit)(struct decompress *);
	void (*emit_message)(struct decompress *, int level);
	void (*output_message)(struct decompress *);
	void (*format_message)(struct decompress *, char *buffer); // at most 200 bytes
	void (*reset_error_mgr)(struct decompress *);
	int msg_code;
	union {
		int i[8];
		char s[80];
	} msg_parm;
	int trace_level;
	long num_warnings;
	const char *const *jpeg_message_table;
	int last_jpeg_message;
	const char *const *addon_message_table;
	int first_addon_message, last_addon_message;
};

struct source {
	const unsigned char *next_input_byte;
	size_t bytes_in_buffer;
	void (*init_source)(struct decompress *);
	int (*fill_input_buffer)(struct decompress *);
	void (*skip_input_data)(struct decompress *, long count);
	int (*resync_to_restart)(struct decompress *, int desired);
	void (*term_source)(struct decompress *);
};

struct progress {
	void (*progress_monitor)(struct decompress *);
	long pass_counter, pass_limit;
	int completed_passes, total_passes;
};

enum { JCS_RGB = 2, JCS_CMYK = 4 };
enum { JDCT_ISLOW = 0 };
enum { JPEG_SUSPENDED = 0 };

struct decompress {
	struct errors *err;
	void *mem;
	struct progress *progress;
	void *client_data;
	int is_decompressor, global_state;
	struct source *src;
	unsigned image_width, image_height;
	int num_components;
	int jpeg_color_space, out_color_space;
	unsigned scale_num, scale_denom;
	double output_gamma;
	int buffered_image, raw_data_out;
	int dct_method;
	int do_fancy_upsampling, do_block_smoothing;
	int quantize_colors, dither_mode, two_pass_quantize, desired_number_of_colors;
	int enable_1pass_quant, enable_external_quant, enable_2pass_quant;
	unsigned output_width, output_height;
	int out_color_components, output_components, rec_outbuf_height;
	int actual_number_of_colors;
	unsigned char **colormap;
	unsigned output_scanline;
	int input_scan_number;
};

struct rj_library {
	struct errors *(*std_error)(struct errors *);
	void (*create)(struct decompress *, int version, size_t size);
	void (*destroy)(struct decompress *);
	int (*read_header)(struct decompress *, int require_image);
	int (*start)(struct decompress *);
	unsigned (*read_scanlines)(struct decompress *, unsigned char **rows, unsigned count);
	int (*resync_to_restart)(struct decompress *, int desired);
	int version;
	size_t size; // of the library's own struct decompress
};

// One decompressor with all that belongs to it.
struct call {
	const struct rj_library *lib;
	struct errors errors;
	struct source source;
	struct progress progress;
	unsigned char *row; // four components a pixel, or NULL
	jmp_buf failed;
	char message[RJ_MESSAGE];
	union {
		struct decompress d;
		char room[2048];
	} u;
};

// Scans of a progressive file cost time without costing bytes. No encoder makes
// more than some dozens.
enum { MAX_SCANS = 500 };

static struct call *call_of(struct decompress *d) { return d->client_data; }

static void fail(struct call *c, const char *message)
{
	snprintf(c->message, sizeof c->message, "%s", message);
	longjmp(c->failed, 1);
}

static void on_error(struct decompress *d)
{
	char message[RJ_MESSAGE] = "";
	d->err->format_message(d, message);
	fail(call_of(d), message);
}

// Like OpenCV, go on after damage that the library gets over, but in silence.
static void on_message(struct decompress *d, int level) { (void)d, (void)level; }
static void on_output(struct decompress *d) { (void)d; }

// OpenCV's source: all data are there from the start, and where they end the
// decoder is told to wait for more. (TurboJPEG and libjpeg's own memory source
// invent an end-of-image marker instead, and grey for what is missing.)
static void do_nothing(struct decompress *d) { (void)d; }
static int no_more(struct decompress *d) { (void)d; return 0; }

static void skip(struct decompress *d, long count)
{
	struct source *s = d->src;
	size_t n = count < 0 ? 0 : (size_t)count;
	if (n > s->bytes_in_buffer)
		n = s->bytes_in_buffer;
	s->next_input_byte += n;
	s->bytes_in_buffer -= n;
}

static void on_progress(struct decompress *d)
{
	if (d->input_scan_number > MAX_SCANS)
		fail(call_of(d), "more than 500 scans");
}

static struct call *new_call(const struct rj_library *lib, unsigned char *message)
{
	struct call *c = calloc(1, sizeof *c);
	if (c == NULL) {
		snprintf((char *)message, RJ_MESSAGE, "out of memory");
		return NULL;
	}
	c->lib = lib;
	c->u.d.err = lib->std_error(&c->errors);
	c->u.d.client_data = c;
	c->errors.error_exit = on_error;
	c->errors.emit_message = on_message;
	c->errors.output_message = on_output;
	return c;
}

static int end_call(struct call *c, int failed, unsigned char *message)
{
	if (failed)
		memcpy(message, c->message, RJ_MESSAGE);
	c->lib->destroy(&c->u.d);
	free(c->row);
	free(c);
	return failed;
}

// The steps of OpenCV's readHeader.
static void read_header(struct call *c, const unsigned char *data, size_t length)
{
	struct decompress *d = &c->u.d;
	c->lib->create(d, c->lib->version, c->lib->size);
	c->progress.progress_monitor = on_progress;
	d->progress = &c->progress;
	c->source = (struct source){data, length, do_nothing, no_more, skip, c->lib->resync_to_restart, do_nothing};
	d->src = &c->source;
	if (c->lib->read_header(d, 1) == JPEG_SUSPENDED)
		fail(c, "the file ends within its header");
}

// OpenCV's conversion, from samples that are 255 where there is no ink.
static void from_cmyk(unsigned char *rgb, const unsigned char *cmyk, int width)
{
	for (int x = 0; x < width; x++, rgb += 3, cmyk += 4) {
		int k = cmyk[3];
		for (int i = 0; i < 3; i++)
			rgb[i] = k - ((255 - cmyk[i]) * k >> 8);
	}
}

// The steps of OpenCV's readData. It ignores that the decoder waits for data: a
// row that does not come is the row before.
static void read_pixels(struct call *c, const int size[2], unsigned char *rgb)
{
	struct decompress *d = &c->u.d;
	int cmyk = d->num_components == 4;
	if (d->image_width != (unsigned)size[0] || d->image_height != (unsigned)size[1])
		fail(c, "the size changed");
	d->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
	d->out_color_components = cmyk ? 4 : 3;
	d->dct_method = JDCT_ISLOW;
	d->do_fancy_upsampling = 1;
	if (!c->lib->start(d))
		fail(c, "the file ends before its last scan");
	if (d->output_width != d->image_width || d->output_height != d->image_height ||
	    d->output_components != d->out_color_components)
		fail(c, "unexpected output format");
	if (cmyk && (c->row = malloc((size_t)size[0] * 4)) == NULL)
		fail(c, "out of memory");
	size_t stride = (size_t)size[0] * 3;
	for (int y = 0; y < size[1]; y++, rgb += stride) {
		unsigned char *row = cmyk ? c->row : rgb;
		if (c->lib->read_scanlines(d, &row, 1) == 1) {
			if (cmyk)
				from_cmyk(rgb, c->row, size[0]);
		} else if (y > 0) {
			memcpy(rgb, rgb - stride, stride);
		} else {
			// OpenCV gives memory as it found it.
			fail(c, "the file ends before the first row of pixels");
		}
	}
}

int rj_size(const struct rj_library *lib, const unsigned char *data, size_t length, int size[2],
            unsigned char *message)
{
	struct call *c = new_call(lib, message);
	if (c == NULL)
		return 1;
	if (setjmp(c->failed))
		return end_call(c, 1, message);
	read_header(c, data, length);
	size[0] = c->u.d.image_width;
	size[1] = c->u.d.image_height;
	return end_call(c, 0, message);
}

int rj_decode(const struct rj_library *lib, const unsigned char *data, size_t length, const int size[2],
              unsigned char *rgb, unsigned char *message)
{
	struct call *c = new_call(lib, message);
	if (c == NULL)
		return 1;
	if (setjmp(c->failed))
		return end_call(c, 1, message);
	read_header(c, data, length);
	read_pixels(c, size, rgb);
	return end_call(c, 0, message);
}

// create_fails asks for a decompressor of a wrong version or size, which the
// library refuses. want is its own version or size, got what we asked for.
static int create_fails(const struct rj_library *lib, int version, size_t size, int *want, int *got)
{
	unsigned char message[RJ_MESSAGE];
	struct call *c = new_call(lib, message);
	if (c == NULL)
		return 0;
	if (setjmp(c->failed)) {
		*want = c->errors.msg_parm.i[0];
		*got = c->errors.msg_parm.i[1];
		return end_call(c, 1, message);
	}
	lib->create(&c->u.d, version, size);
	return end_call(c, 0, message);
}

// find_layout sets the version and the size of the library's structure, if it is
// one of those that begin as ours.
static const char *find_layout(struct rj_library *lib)
{
	int want = 0, got = 0;
	lib->version = 62;
	if (!create_fails(lib, lib->version, 0, &want, &got))
		return "its version cannot be told";
	if (got == lib->version) { // refused for the version: ask again with the right one
		lib->version = want;
		if (want != 70 && want != 80)
			return "unknown version of the interface";
		if (!create_fails(lib, lib->version, 0, &want, &got))
			return "its version cannot be told";
	}
	if (got != 0 || want < (int)sizeof(struct decompress) || want > (int)sizeof(((struct call *)0)->u))
		return "unknown layout of the interface";
	lib->size = want;
	return NULL;
}

struct rj_library *rj_open(const unsigned char *name, unsigned char *message)
{
	void *handle = dlopen((const char *)name, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		snprintf((char *)message, RJ_MESSAGE, "%s", dlerror());
		return NULL;
	}
	struct rj_library *lib = calloc(1, sizeof *lib);
	const char *problem = lib == NULL ? "out of memory" : NULL;
	void *turbo = NULL;
	struct {
		void **to;
		const char *name;
	} symbols[] = {
		{(void **)&lib->std_error, "jpeg_std_error"},
		{(void **)&lib->create, "jpeg_CreateDecompress"},
		{(void **)&lib->destroy, "jpeg_destroy_decompress"},
		{(void **)&lib->read_header, "jpeg_read_header"},
		{(void **)&lib->start, "jpeg_start_decompress"},
		{(void **)&lib->read_scanlines, "jpeg_read_scanlines"},
		{(void **)&lib->resync_to_restart, "jpeg_resync_to_restart"},
		{&turbo, "jpeg_skip_scanlines"}, // which other libjpegs do not have
	};
	for (size_t i = 0; problem == NULL && i < sizeof symbols / sizeof symbols[0]; i++)
		if ((*symbols[i].to = dlsym(handle, symbols[i].name)) == NULL)
			problem = "it is not the libjpeg of libjpeg-turbo";
	if (problem == NULL)
		problem = find_layout(lib);
	if (problem != NULL) {
		snprintf((char *)message, RJ_MESSAGE, "%s: %s", (const char *)name, problem);
		free(lib);
		dlclose(handle);
		return NULL;
	}
	Dl_info info;
	int known = dladdr((void *)lib->start, &info) != 0 && info.dli_fname != NULL;
	snprintf((char *)message, RJ_MESSAGE, "%s", known ? info.dli_fname : (const char *)name);
	return lib;
}
