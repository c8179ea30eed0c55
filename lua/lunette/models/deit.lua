-- deit.lua - DeiT (Touvron et al. 2020, arXiv:2012.12877): a ViT with one token more.
return require "lunette.models.vit"
