"""The edges: AWS answers become typed records here, paced and cached."""
