"""The table of protocols: all rows."""
import rows_carried
import rows_directory
import rows_it
import rows_link
import rows_ot

ROWS = (*rows_link.ROWS, *rows_it.ROWS, *rows_directory.ROWS, *rows_ot.ROWS, *rows_carried.ROWS)
