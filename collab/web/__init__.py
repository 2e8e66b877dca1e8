"""The pages: documents, the editor, the contrast, the console. Built from clients/ when the package is built."""
