//! Manifests: `deploy/manifest.yaml`, with values filled in, becomes resources.
