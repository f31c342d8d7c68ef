# Hosts, and calls on many of them at once. An edge.

# The hosts of a command: of -Cluster every node, else those of -ComputerName, else this one.
# Node: Name, Splat (the arguments that name it), Problem ('' or why it can't be asked).
function Get-TargetNode {
    param([string[]] $ComputerName, [string] $Cluster, [pscredential] $Credential)
    $ErrorActionPreference = 'Stop'
    $names = @($ComputerName | Where-Object { $_ })
    $down = @{}
    if ($Cluster) {
        if (-not (Get-Module -Name 'FailoverClusters' -ListAvailable)) {
            throw ('the PowerShell module FailoverClusters is not installed here (Install-WindowsFeature ' +
                'RSAT-Clustering-PowerShell), or name the hosts with -ComputerName')
        }
        $arguments = @{}
        if ($Cluster -ne '.') { $arguments.Cluster = $Cluster }
        $nodes = @(Get-ClusterNode @arguments)
        $names = @($nodes | ForEach-Object { $_.Name })
        foreach ($node in $nodes) {
            if ("$($node.State)" -notin 'Up', 'Paused') {
                $down[$node.Name] = "the cluster says that node $($node.Name) is $("$($node.State)".ToLower()) " +
                    '(the next run catches up with it)'
            }
        }
    }
    if ($names.Count -eq 0) { return [pscustomobject]@{ Name = [Environment]::MachineName; Splat = @{}; Problem = '' } }
    foreach ($name in @($names | Select-Object -Unique)) {
        $splat = @{ ComputerName = $name }
        if ($Credential) { $splat.Credential = $Credential }
        [pscustomobject]@{ Name = $name; Splat = $splat; Problem = "$($down[$name])" }
    }
}

# Calls the module's function $Function for each node, with @{ Node = its arguments } and $Argument[its name].
# Returns for each node, in their order: Node, Output, Error ('' or what, where, remedy).
# $Pool: of New-NodePool, where a command calls more than once.
function Invoke-OnNode {
    param([object[]] $Node, [string] $Function, [hashtable] $Argument = @{}, [int] $ThrottleLimit = 16,
        [int] $TimeoutSec = 600, $Pool = $null)
    $ready = @($Node | Where-Object { -not $_.Problem })
    $results = @{}
    foreach ($one in @($Node | Where-Object { $_.Problem })) {
        $results[$one.Name] = [pscustomobject]@{ Node = $one; Output = $null; Error = $one.Problem }
    }
    if ($ready.Count -eq 1) {  # Nothing to do beside it: right here.
        $one = $ready[0]
        $more = Get-Value $Argument $one.Name @{}
        try {
            $output = & $Function -Node $one.Splat @more
            $results[$one.Name] = [pscustomobject]@{ Node = $one; Output = $output; Error = '' }
        } catch {
            $text = Get-NodeErrorText -ComputerName $one.Name -ErrorRecord $_
            $results[$one.Name] = [pscustomobject]@{ Node = $one; Output = $null; Error = $text }
        }
    } elseif ($ready.Count -gt 1) {
        $own = if ($Pool) { $null } else { New-NodePool -Size ([Math]::Min($ThrottleLimit, $ready.Count)) }
        $opened = if ($Pool) { $Pool } else { $own }
        try {
            foreach ($result in Invoke-InPool $ready $Function $Argument $opened $TimeoutSec) {
                $results[$result.Node.Name] = $result
            }
        } finally { Close-NodePool $own }
    }
    foreach ($one in $Node) { $results[$one.Name] }
}

# Runspaces with the module in them. Windows PowerShell 5.1 has no ForEach-Object -Parallel.
function New-NodePool {
    param([int] $Size)
    $initial = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault()
    $initial.ImportPSModule([string[]]@($MyInvocation.MyCommand.Module.Path))
    $pool = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspacePool($initial)
    $null = $pool.SetMaxRunspaces([Math]::Max(1, $Size))
    $pool.Open()
    $pool
}

# It does not wait: a host that hangs would hold the command up.
function Close-NodePool {
    param($Pool)
    if ($Pool) { $null = $Pool.BeginClose($null, $null) }
}

function Invoke-InPool {
    param([object[]] $Node, [string] $Function, [hashtable] $Argument, $Pool, [int] $TimeoutSec)
    $script = 'param($Function, $Arguments) & (Get-Module -Name VMirror) ' +
        '{ param($Function, $Arguments) & $Function @Arguments } $Function $Arguments'
    $deadline = [DateTime]::UtcNow.AddSeconds($TimeoutSec)
    $calls = @(foreach ($one in $Node) {
            $arguments = @{ Node = $one.Splat }
            $more = Get-Value $Argument $one.Name @{}
            foreach ($key in $more.Keys) { $arguments[$key] = $more[$key] }
            $shell = [powershell]::Create()
            $shell.RunspacePool = $Pool
            $null = $shell.AddScript($script).AddArgument($Function).AddArgument($arguments)
            @{ Node = $one; Shell = $shell; Handle = $shell.BeginInvoke() }
        })
    foreach ($call in $calls) {
        $left = [int][Math]::Max(0, ($deadline - [DateTime]::UtcNow).TotalMilliseconds)
        $text = ''
        $output = $null
        if ($call.Handle.AsyncWaitHandle.WaitOne($left)) {
            try { $output = $call.Shell.EndInvoke($call.Handle) | Select-Object -First 1 }
            catch {
                $inner = $_.Exception
                while ($inner.InnerException) { $inner = $inner.InnerException }
                $record = Get-Value $inner 'ErrorRecord' $_
                $text = Get-NodeErrorText -ComputerName $call.Node.Name -ErrorRecord $record
            }
            $call.Shell.Dispose()
        } else {
            # A host that hangs is left to itself: Stop would wait for it.
            $null = $call.Shell.BeginStop($null, $null)
            $text = "$($call.Node.Name): no answer within $TimeoutSec s (is its Hyper-V management service alive?)"
        }
        [pscustomobject]@{ Node = $call.Node; Output = $output; Error = $text }
    }
}

# What a host's error means: the host, the cause, the remedy. Pure.
function Get-NodeErrorText {
    param([string] $ComputerName, [System.Management.Automation.ErrorRecord] $ErrorRecord)
    $text = $ErrorRecord.Exception.Message.Trim()
    $id = "$($ErrorRecord.FullyQualifiedErrorId)"
    $remedy = ''
    if ($id -match '^AccessDenied|^Unauthorized' -or $text -match 'required permission|Access is denied') {
        $remedy = 'the account needs the groups Hyper-V Administrators and Remote Management Users there, and for ' +
            '-Cluster access to the cluster'
    } elseif ($text -match 'Virtual Machine Management service') {
        $remedy = 'is the role Hyper-V installed there, and the service vmms started?'
    } elseif ($text -match 'could not be resolved|cannot find the computer|RPC server|WinRM|cannot connect|network path') {
        $remedy = 'is the host up, its name right, and WinRM open in its firewall?'
    } elseif ($text -match 'logon|password|credential') {
        $remedy = 'check -Credential'
    }
    if ($remedy) { return "$($ComputerName): $text ($remedy)" }
    "$($ComputerName): $text"
}
