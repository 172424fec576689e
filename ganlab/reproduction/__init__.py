"""`ganlab reproduce`: a paper's recipe trained here, held against its figures."""
