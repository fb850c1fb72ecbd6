// Everything; to a C compiler, what <mereo/c.h> declares.
#pragma once

#include <mereo/c.h>
#ifdef __cplusplus
#include <mereo/capsule_layers.h>
#include <mereo/capsules.h>
#include <mereo/cnn.h>
#include <mereo/core.h>
#include <mereo/data.h>
#include <mereo/dc_ign.h>
#include <mereo/factors.h>
#include <mereo/graphics.h>
#include <mereo/inverse_graphics.h>
#include <mereo/io.h>
#include <mereo/isa.h>
#include <mereo/memory.h>
#include <mereo/models.h>
#include <mereo/nn.h>
#include <mereo/ops.h>
#include <mereo/optim.h>
#include <mereo/random.h>
#include <mereo/tape.h>
#include <mereo/tensor.h>
#include <mereo/train.h>
#endif
