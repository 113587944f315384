"""The Python API: what `import talos` offers. One file per function or class; everything they do is done by the layers below."""
