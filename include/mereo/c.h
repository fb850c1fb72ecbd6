/* Floor 8, for C: reads a checkpoint, classifies pictures, tells poses, reconstructs.
 *
 * No call throws or ends the program. One that fails returns what its comment says, and
 * mereo_last_error() tells why. A null pointer is such a failure, unless a comment allows it.
 *
 * Threads: a network serves one thread at a time; different networks serve different threads at
 * once. A program that links this library links the C++ standard library too: mereo.pc and the
 * CMake package see to that. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mereo_network mereo_network;

/* Of a checkpoint, a .safetensors file, ready to classify single pictures (for CapsNet with 38 MB
 * of transformed weights). NULL when it cannot be read or is damaged. */
mereo_network* mereo_load(const char* checkpoint);
/* NULL is allowed, and nothing happens. */
void mereo_free(mereo_network* network);

typedef struct mereo_sizes {
  size_t height, width, channels; /* of the pictures that mereo_predict() takes */
  size_t classes;
  size_t labels;                  /* classes that a picture shows; 2 for overlapping digits */
  size_t pose;                    /* numbers in the pose of a class; 0: the network has no poses */
  size_t seen_height, seen_width; /* of what it sees and reconstructs of a picture */
  int reconstructs;               /* 0: it does not */
} mereo_sizes;
/* 0, or -1. */
int mereo_get_sizes(const mereo_network* network, mereo_sizes* sizes);
/* Lives as long as the network. NULL unless index < classes. */
const char* mereo_class_name(const mereo_network* network, size_t index);

/* The class of a picture, from 0, or -1; of several, that of which the network is most sure.
 * pixels: height * width * channels of them, rows from the top, each from 0 to 1, channels
 * together. count: how many there are. */
int mereo_predict(mereo_network* network, const float* pixels, size_t count);
/* The same of a PNG or JPEG file, which is resized and made grey as the network needs it. */
int mereo_predict_file(mereo_network* network, const char* path);

/* What the network made of the picture of its last mereo_predict(), which must not have failed.
 * Each fills an array of exactly count numbers, and returns 0, or -1. */
/* labels: the classes that it predicts, from the most certain on, so that the first is what
 * mereo_predict() returned. */
int mereo_labels(const mereo_network* network, int* labels, size_t count);
/* classes: how sure it is of each, the length or the activation of its capsule. */
int mereo_scores(const mereo_network* network, float* scores, size_t count);
/* classes * pose: the capsule of each class. */
int mereo_poses(const mereo_network* network, float* poses, size_t count);
/* seen_height * seen_width * channels: the picture from the capsule of a class, the predicted one
 * or any other. */
int mereo_reconstruct(mereo_network* network, size_t index, float* pixels, size_t count);

/* Why the last call that failed in this thread did, in one line of up to 511 bytes; "" when none
 * has. It stays until the next one fails. */
const char* mereo_last_error(void);

/* Threads that every call computes with; not while another thread computes. 0, or -1 unless count
 * is 1 to 1024. Results do not depend on it. */
int mereo_set_threads(int count);
/* "0.1.0" */
const char* mereo_version(void);

#ifdef __cplusplus
}
#endif
