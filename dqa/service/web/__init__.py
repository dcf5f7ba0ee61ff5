"""The pages: templates, a stylesheet and small scripts, all served from here and needing nobody else."""

from dqa.service.web.assets import Asset, find_asset
from dqa.service.web.pages import PAGE_POLICY, Viewer, ViewerDep, page

__all__ = ["PAGE_POLICY", "Asset", "Viewer", "ViewerDep", "find_asset", "page"]
