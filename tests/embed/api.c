/* Classifies a picture from C, in right and in wrong ways.
 *
 *   api CHECKPOINT IMAGE DAMAGED_CHECKPOINT
 *
 * prints the class and the scores as mereo-predict does, and fails when a call does not do what
 * <mereo/c.h> says. */
#include <mereo/mereo.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

static void check(int holds, const char* text, int line) {
  if (holds)
    return;
  printf("line %d: %s does not hold; last error: %s\n", line, text, mereo_last_error());
  ++failures;
}
#define CHECK(condition) check((condition) != 0, #condition, __LINE__)

/* The call has failed, and says so in one line with this in it. */
#define FAILS(call, text)                                                                          \
  do {                                                                                             \
    CHECK(call);                                                                                   \
    CHECK(strstr(mereo_last_error(), text) != NULL);                                               \
    CHECK(strchr(mereo_last_error(), '\n') == NULL);                                               \
  } while (0)

static void use_wrongly(mereo_network* network, const mereo_sizes* sizes, const char* damaged) {
  const size_t pixels = sizes->height * sizes->width * sizes->channels;
  const size_t poses = sizes->classes * sizes->pose;
  float* picture = calloc(pixels, sizeof *picture);
  float* numbers = calloc(pixels + poses, sizeof *numbers);
  char path[2000];
  mereo_sizes unused;
  int labels[2];
  CHECK(picture != NULL && numbers != NULL);

  FAILS(mereo_load(NULL) == NULL, "the path is NULL");
  FAILS(mereo_load("no/such/file") == NULL, "no/such/file");
  FAILS(mereo_load(damaged) == NULL, damaged);
  FAILS(mereo_load("no\nsuch\nfile") == NULL, "no?such?file");
  memset(path, 'x', sizeof path);
  path[sizeof path - 1] = 0;
  FAILS(mereo_load(path) == NULL, "xxx");
  CHECK(strlen(mereo_last_error()) == 511);

  /* Nothing has been predicted yet. */
  FAILS(mereo_scores(network, numbers, sizes->classes) == -1, "mereo_predict() first");
  FAILS(mereo_labels(network, labels, 1) == -1, "mereo_predict() first");
  FAILS(mereo_poses(network, numbers, poses) == -1, "mereo_predict() first");
  FAILS(mereo_reconstruct(network, 0, numbers, pixels) == -1, "mereo_predict() first");

  FAILS(mereo_predict(NULL, picture, pixels) == -1, "the network is NULL");
  FAILS(mereo_predict(network, NULL, pixels) == -1, "the picture is NULL");
  FAILS(mereo_predict(network, picture, pixels - 1) == -1, "another number of pixels");
  FAILS(mereo_predict(network, picture, 0) == -1, "0 instead of");
  picture[3] = 255;
  FAILS(mereo_predict(network, picture, pixels) == -1, "number 3 is 255");
  picture[3] = (float)NAN;
  FAILS(mereo_predict(network, picture, pixels) == -1, "number 3 is");
  FAILS(mereo_predict_file(network, NULL) == -1, "the path is NULL");
  FAILS(mereo_predict_file(network, damaged) == -1, damaged);
  FAILS(mereo_predict_file(NULL, damaged) == -1, "the network is NULL");

  picture[3] = 1;
  CHECK(mereo_predict(network, picture, pixels) >= 0);
  FAILS(mereo_scores(network, numbers, sizes->classes + 1) == -1, "another length");
  FAILS(mereo_scores(network, NULL, sizes->classes) == -1, "the array is NULL");
  FAILS(mereo_labels(network, labels, 2) == -1, "another length");
  FAILS(mereo_labels(network, NULL, 1) == -1, "the array is NULL");
  FAILS(mereo_labels(NULL, labels, 1) == -1, "the network is NULL");
  FAILS(mereo_poses(network, numbers, sizes->pose) == -1, "another length");
  FAILS(mereo_reconstruct(network, 0, numbers, pixels - 1) == -1, "another length");
  FAILS(mereo_reconstruct(NULL, 0, numbers, pixels) == -1, "the network is NULL");
  FAILS(mereo_reconstruct(network, sizes->classes, numbers, pixels) == -1, "no such class");
  /* A failed prediction leaves nothing to be told. */
  CHECK(mereo_scores(network, numbers, sizes->classes) == 0);
  CHECK(mereo_predict(network, picture, 1) == -1);
  FAILS(mereo_scores(network, numbers, sizes->classes) == -1, "mereo_predict() first");

  FAILS(mereo_class_name(network, sizes->classes) == NULL, "no such class");
  FAILS(mereo_class_name(NULL, 0) == NULL, "the network is NULL");
  FAILS(mereo_get_sizes(NULL, &unused) == -1, "the network is NULL");
  FAILS(mereo_get_sizes(network, NULL) == -1, "NULL");
  FAILS(mereo_set_threads(0) == -1, "threads");
  mereo_free(NULL);
  free(picture);
  free(numbers);
}

/* The length of a class capsule's pose is its score, and a reconstruction is a picture. */
static void use_rightly(mereo_network* network, const mereo_sizes* sizes, const char* image) {
  const size_t seen = sizes->seen_height * sizes->seen_width * sizes->channels;
  float* scores = malloc(sizes->classes * sizeof *scores);
  float* poses = malloc(sizes->classes * sizes->pose * sizeof *poses);
  float* picture = malloc(seen * sizeof *picture);
  float* other = malloc(seen * sizeof *other);
  const int label = mereo_predict_file(network, image);
  int same = -1;
  size_t k, i;
  CHECK(scores != NULL && poses != NULL && picture != NULL && other != NULL);
  CHECK(label >= 0 && (size_t)label < sizes->classes);
  CHECK(mereo_labels(network, &same, 1) == 0 && same == label);
  CHECK(mereo_scores(network, scores, sizes->classes) == 0);
  CHECK(mereo_poses(network, poses, sizes->classes * sizes->pose) == 0);
  CHECK(mereo_reconstruct(network, (size_t)label, picture, seen) == 0);
  printf("%s: %s\n", image, mereo_class_name(network, (size_t)label));
  for (k = 0; k < sizes->classes; ++k) {
    double square = 0;
    for (i = 0; i < sizes->pose; ++i)
      square += (double)poses[k * sizes->pose + i] * (double)poses[k * sizes->pose + i];
    CHECK(fabs(sqrt(square) - (double)scores[k]) < 1e-5);
    CHECK(scores[k] <= scores[label]);
    printf("  %-20s %.4f\n", mereo_class_name(network, k), (double)scores[k]);
  }
  for (i = 0; i < seen; ++i)
    CHECK(picture[i] >= 0 && picture[i] <= 1);
  CHECK(mereo_reconstruct(network, (size_t)(label == 0), other, seen) == 0);
  CHECK(memcmp(picture, other, seen * sizeof *other) != 0);
  free(scores);
  free(poses);
  free(picture);
  free(other);
}

int main(int count, char** arguments) {
  mereo_network* network;
  mereo_sizes sizes;
  if (count != 4)
    return 2;
  CHECK(strcmp(mereo_last_error(), "") == 0);
  CHECK(mereo_set_threads(1) == 0);
  CHECK(strlen(mereo_version()) >= 5);
  network = mereo_load(arguments[1]);
  if (!network) {
    printf("%s\n", mereo_last_error());
    return 1;
  }
  CHECK(mereo_get_sizes(network, &sizes) == 0);
  CHECK(sizes.reconstructs == 1);
  CHECK(sizes.labels == 1);
  use_wrongly(network, &sizes, arguments[3]);
  use_rightly(network, &sizes, arguments[2]);
  mereo_free(network);
  return failures != 0;
}
