# SPDX-License-Identifier: BSD-3-Clause
# One place for the product's version; NP_CORE_VERSION is the noports_core level we speak.
NP_VERSION := 0.1.0
