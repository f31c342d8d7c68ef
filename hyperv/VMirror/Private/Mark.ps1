# Marks: which settings are ours. Pure.
#
# A mark is one line in the notes of the VM or of the virtual switch that has the setting, so that it travels
# with a VM and everybody can read it:
#
#   the notes that were there
#   [vmirror] {"v":1,"marks":[{"kind":"mode","on":"ADAPTER","was":"None","now":"Source","for":["hand/dc1"]}]}
#
#   kind  mode      port mirroring of the adapter `on`       was, now: None, Destination, Source
#         vlan      VLANs of the adapter `on`                was, now: the texts of Vlan.ps1
#         adapter   that the VM has an adapter of name `on`  was, now: absent, present
#         capture   the switch's extension NDIS Capture      was, now: Disabled, Enabled
#         external  monitoring mode of the external port     was, now: absent, 0, 1, 2
#         switch    that there is the switch                 was, now: absent, present
#   for   the sessions that need it, each OWNER/NAME. `was` equal to `now`: somebody else's setting, which
#         suits these sessions and is never undone.
#
# The mark is written before the setting changes and removed after it is undone: a run that dies in between
# leaves a mark whose setting has the value `was`, which the next run mends.

$script:MarkTag = '[vmirror] '
$script:MarkPattern = '(?m)(?<before>\A|\r?\n)\[vmirror\] (?<json>[^\r\n]*)'

# Notes -> @{ Text = the notes without the mark; Marks = its entries; Error = why it can't be read, or '' }
function ConvertFrom-Note {
    param([AllowEmptyString()] [AllowNull()] [string] $Note)
    $found = [regex]::Match("$Note", $script:MarkPattern)
    $marks = @()
    $problem = ''
    $text = "$Note"
    if ($found.Success) {
        $cut = $found.Length
        # A mark in front takes the line's end behind it along, another one the line's end before it.
        if ($found.Index -eq 0 -and "$Note".Substring($cut) -match '^\r?\n') { $cut += $Matches[0].Length }
        $text = "$Note".Remove($found.Index, $cut)
        try {
            $json = $found.Groups['json'].Value | ConvertFrom-Json -ErrorAction Stop
            if ((Get-Value $json 'v') -ne 1) { throw "its version is '$(Get-Value $json 'v')', not 1" }
            $marks = @(foreach ($entry in @(Get-Value $json 'marks' @())) {
                    foreach ($key in 'kind', 'on', 'was', 'now', 'for') {
                        if ($null -eq $entry.PSObject.Properties[$key]) { throw "an entry has no ``$key``" }
                    }
                    New-Mark -Kind $entry.kind -On $entry.on -Was $entry.was -Now $entry.now -For @($entry.for)
                })
        } catch {
            $marks = @()
            $problem = "the line that begins with $($script:MarkTag.Trim()) can't be read: $($_.Exception.Message)"
        }
    }
    [pscustomobject]@{ Text = $text; Marks = $marks; Error = $problem }
}

# Text and marks -> notes. No marks: the text as it was.
function ConvertTo-Note {
    param([AllowEmptyString()] [string] $Text, [object[]] $Mark = @())
    if (@($Mark).Count -eq 0) { return $Text }
    $entries = [object[]]@(foreach ($entry in $Mark) {
            [ordered]@{
                kind = $entry.Kind; on = $entry.On; was = $entry.Was; now = $entry.Now
                for = [string[]]@($entry.For)
            }
        })
    $json = [ordered]@{ v = 1; marks = $entries } | ConvertTo-Json -Compress -Depth 5
    if ($json.Length -gt $script:Limit.MarkChars) {
        throw ("the mark would be $($json.Length) characters long, $($script:Limit.MarkChars) are allowed: " +
            'fewer sessions to one destination')
    }
    if ($Text -eq '') { return $script:MarkTag + $json }
    $Text + "`n" + $script:MarkTag + $json
}

function New-Mark {
    param([string] $Kind, [AllowEmptyString()] [string] $On = '', [string] $Was, [string] $Now,
        [string[]] $For = @())
    [pscustomobject]@{ Kind = $Kind; On = $On; Was = $Was; Now = $Now; For = [string[]]@($For | Sort-Object -Unique) }
}

# The entries with those of the same kind and place replaced or added; $Remove takes them out.
function Merge-Mark {
    param([object[]] $Mark = @(), [object[]] $Change = @(), [switch] $Remove)
    $changed = @{}
    foreach ($entry in $Change) { $changed["$($entry.Kind)|$($entry.On)"] = $entry }
    @(
        foreach ($entry in $Mark) { if (-not $changed.ContainsKey("$($entry.Kind)|$($entry.On)")) { $entry } }
        if (-not $Remove) { $Change }
    ) | Sort-Object -Property Kind, On
}
